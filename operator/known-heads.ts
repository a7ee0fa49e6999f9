// Which part of the key log each device has heard of, from the newest receipt that it signed.
import type { RosterDevice } from "../protocol/roster.ts";
import { readReceipt } from "../protocol/receipt.ts";
import { Refusal } from "../protocol/refusal.ts";
import type { KnownHead } from "./cache.ts";
import { inTurns } from "./in-turns.ts";
import type { ListedDevice } from "./listed-devices.ts";
import type { Session } from "./session.ts";

/** For each listed device of the roster that has answered a job: its known head, asked of the relay where it is new. */
export async function knownHeads(
  session: Session,
  listed: readonly ListedDevice[],
): Promise<ReadonlyMap<string, KnownHead>> {
  const found = new Map<string, KnownHead>();
  await inTurns(listed, async ({ device, receipts }) => {
    const member = session.roster.devices.get(device);
    const known = member && (await newest(session, member, receipts));
    if (known !== undefined) found.set(device, known);
  });
  return found;
}

async function newest(session: Session, member: RosterDevice, receipts: number): Promise<KnownHead | undefined> {
  const { cache } = session.desk;
  const cached = cache.knownHead(member.device);
  if (receipts <= (cached?.receipt ?? 0)) return cached;
  const { parts } = await session.client.ask("receipts", {
    type: "list-receipts",
    device: member.device,
    from: receipts,
  });
  const [bytes] = parts;
  const head = bytes && headIn(bytes, member, session.state.tenant);
  if (head === undefined) return cached;
  cache.keepKnownHead(member.device, head);
  return head;
}

function headIn(bytes: Uint8Array, { sig }: RosterDevice, tenant: string): KnownHead | undefined {
  try {
    const { receipt } = readReceipt(bytes, { sig, tenant });
    return { receipt: receipt.seq, ...receipt.keyHead };
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
