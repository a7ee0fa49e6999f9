// Which place of the key log each device knows: the latest that it has signed for, in its newest receipt or its last report.
import type { RosterDevice } from "../../protocol/roster.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { KnownHead } from "../home/cache.ts";
import { inTurns } from "../in-turns.ts";
import type { ListedDevice } from "../devices/listed-devices.ts";
import type { Session } from "../connection/session.ts";

/**
 * For each listed device of the roster that has signed for one: its known head, asked of the relay where it is new. What a
 * device has once signed for is remembered, so that a relay cannot show less of it later.
 */
export async function knownHeads(
  session: Session,
  listed: readonly ListedDevice[],
): Promise<ReadonlyMap<string, KnownHead>> {
  const { cache } = session.desk;
  const members = listed.filter(({ device }) => session.roster.devices.has(device));
  cache.keepReportedHeads(new Map(members.flatMap(({ device, report }) => (report ? [[device, report.keyHead]] : []))));
  const found = new Map<string, KnownHead>();
  await inTurns(members, async ({ device, receipts }) => {
    await noteReceipt(session, device, receipts);
    const known = cache.knownHead(device);
    if (known !== undefined) found.set(device, known);
  });
  return found;
}

async function noteReceipt({ desk: { cache }, client, roster, state }: Session, device: string, receipts: number) {
  const member = roster.devices.get(device);
  if (member === undefined || receipts <= (cache.knownHead(device)?.receipt ?? 0)) return;
  const { parts } = await client.ask("receipts", { type: "list-receipts", device, from: receipts });
  const [bytes] = parts;
  const head = bytes && headIn(bytes, member, state.tenant);
  if (head !== undefined) cache.keepKnownHead(device, head);
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
