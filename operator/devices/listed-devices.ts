// Devices as a relay lists them: who is online is its word, what a device says of itself is in what it signed.
import { type BindingReport, readBindingReport } from "../../protocol/binding-report.ts";
import { type EnrolmentRequest, readEnrolment } from "../../protocol/enrolment.ts";
import type { AdmitKey } from "../../protocol/key-admission.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { ToOperator } from "../../protocol/wire.ts";
import { type Message, partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import { Fault } from "../fault.ts";
import { MAX_LISTED_DEVICES } from "../limits.ts";

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
  /** Its last binding report, checked; absent too where the one that the relay shows is not this device's. */
  readonly report?: BindingReport;
};

type Row = Extract<ToOperator, { type: "devices" }>["devices"][number];
type Shown = { readonly row: Row; readonly request: Uint8Array; readonly report: Uint8Array | undefined };
type Reading = { readonly tenant: string; readonly admitKey: AdmitKey };

/**
 * Every device that the relay lists with a request of its own for this organisation, or for `of`, a tenant that this one
 * retired there; others are passed over.
 */
export async function listDevices(
  session: Session,
  { of }: { readonly of?: string } = {},
): Promise<readonly ListedDevice[]> {
  const { admitKey } = await import("../../protocol/key-admission.ts");
  const reading = { tenant: of ?? session.state.tenant, admitKey };
  const found: ListedDevice[] = [];
  let rows = 0;
  for (let after: string | undefined; ; ) {
    const from = { ...(after === undefined ? {} : { after }), ...(of === undefined ? {} : { of }) };
    const page = await session.client.ask("devices", { type: "list-devices", ...from });
    found.push(...shownIn(page).flatMap((shown) => readDevice(shown, reading)));
    const { devices, more } = page.header;
    const last = devices.at(-1)?.device;
    if (!more || last === undefined || last === after) return found;
    after = last;
    rows += devices.length;
    if (rows > MAX_LISTED_DEVICES) throw new Fault("relay-odd", `more than ${MAX_LISTED_DEVICES} devices`);
  }
}

/** Each row of a page with its parts. Throws `relay-odd` where there are fewer than it says. */
function shownIn({ header: { devices }, parts }: Message<"devices">): readonly Shown[] {
  let next = devices.length;
  return devices.map((row, at) => ({
    row,
    request: partAt(parts, at),
    report: row.reported ? partAt(parts, next++) : undefined,
  }));
}

function readDevice({ row, request: requestBytes, report }: Shown, reading: Reading): readonly ListedDevice[] {
  const { device, online, seenAt, proof, receipts } = row;
  const own = unlessRefused(() => readEnrolment(requestBytes, reading.admitKey));
  if (own?.request.device !== device || own.request.tenant !== reading.tenant) return [];
  // The key in the request is the one whose thumbprint the device's id is: there is no other that could be the roster's.
  const { request, id: requestId } = own;
  const said = report && unlessRefused(() => readBindingReport(report, { sig: request.sig, tenant: reading.tenant }));
  const listed = { device, online, seenAt, proof, receipts, request, requestId, requestBytes };
  return [said === undefined ? listed : { ...listed, report: said }];
}

function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
