// Which place of the key log each device knows: the latest that it has signed for, in its newest receipt or its last report.
import type { LogPlace } from "../protocol/fields.ts";
import type { RosterDevice } from "../protocol/roster.ts";
import { readReceipt } from "../protocol/receipt.ts";
import { Refusal } from "../protocol/refusal.ts";
import type { KnownHead } from "./cache.ts";
import { inTurns } from "./in-turns.ts";
import type { ListedDevice } from "./listed-devices.ts";
import type { Session } from "./session.ts";

/**
 * For each listed device of the roster that has signed for one: its known head, asked of the relay where it is new. What a
 * device has once signed for is remembered, so that a relay cannot show less of it later.
 */
export async function knownHeads(
  session: Session,
  listed: readonly ListedDevice[],
): Promise<ReadonlyMap<string, KnownHead>> {
  const found = new Map<string, KnownHead>();
  await inTurns(listed, async ({ device, receipts, report }) => {
    const member = session.roster.devices.get(device);
    if (member === undefined) return;
    await noteReceipt(session, member, receipts);
    if (report !== undefined) noteHead(session, device, report.keyHead);
    const known = session.desk.cache.knownHead(device);
    if (known !== undefined) found.set(device, known);
  });
  return found;
}

/** Remembers a place that this device signed for, if it is later than what it signed for before. */
export function noteHead({ desk: { cache } }: Session, device: string, { seq, id }: LogPlace): void {
  const known = cache.knownHead(device);
  if (known !== undefined && known.seq >= seq) return;
  cache.keepKnownHead(device, { receipt: known?.receipt ?? 0, seq, id });
}

async function noteReceipt(session: Session, member: RosterDevice, receipts: number): Promise<void> {
  const { cache } = session.desk;
  if (receipts <= (cache.knownHead(member.device)?.receipt ?? 0)) return;
  const ask = { type: "list-receipts", device: member.device, from: receipts };
  const { parts } = await session.client.ask("receipts", ask);
  const [bytes] = parts;
  const head = bytes && headIn(bytes, member, session.state.tenant);
  if (head !== undefined) cache.keepKnownHead(member.device, head);
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
