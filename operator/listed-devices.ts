// Devices as a relay lists them: who is online is its word, what a device says of itself is in the request that it signed.
import { type EnrolmentRequest, readEnrolment } from "../protocol/enrolment.ts";
import { Refusal } from "../protocol/refusal.ts";
import { Fault } from "./fault.ts";
import { MAX_LISTED_DEVICES } from "./limits.ts";
import { partAt } from "./relay-client.ts";
import type { Session } from "./session.ts";

export type ListedDevice = {
  readonly device: string;
  readonly online: boolean;
  readonly seenAt: number;
  readonly proof: string | undefined;
  /** Count of the newest receipt. */
  readonly receipts: number;
  /** As signed by the device, checked. */
  readonly request: EnrolmentRequest;
  /** Statement id of the request, and its envelope. */
  readonly requestId: string;
  readonly requestBytes: Uint8Array;
};

/** Every device that the relay lists with a request of its own for this organisation; others are passed over. */
export async function listDevices(session: Session): Promise<readonly ListedDevice[]> {
  const { admitKey } = await import("../protocol/key-admission.ts");
  const found: ListedDevice[] = [];
  for (let after: string | undefined; ; ) {
    const ask = { type: "list-devices", ...(after === undefined ? {} : { after }) };
    const { header, parts } = await session.client.ask("devices", ask);
    for (const [index, { device, online, seenAt, proof, receipts }] of header.devices.entries()) {
      const requestBytes = partAt(parts, index);
      const own = ownRequest(requestBytes, { device, tenant: session.state.tenant, admitKey });
      if (own)
        found.push({ device, online, seenAt, proof, receipts, request: own.request, requestId: own.id, requestBytes });
    }
    const last = header.devices.at(-1)?.device;
    if (!header.more || last === undefined || last === after) return found;
    after = last;
    if (found.length > MAX_LISTED_DEVICES) throw new Fault("relay-odd", `more than ${MAX_LISTED_DEVICES} devices`);
  }
}

function ownRequest(
  bytes: Uint8Array,
  { device, tenant, admitKey }: { device: string; tenant: string; admitKey: (publicKey: Uint8Array) => void },
): ReturnType<typeof readEnrolment> | undefined {
  try {
    const own = readEnrolment(bytes, admitKey);
    return own.request.device === device && own.request.tenant === tenant ? own : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
