// A device's answer to a job, verified: the receipt by the device's key of the signed roster, its place in the device's
// chain, and the output against what the receipt says of it.
import type { JobManifest } from "../../protocol/job.ts";
import { type KeptStream, openOutputBy } from "../../protocol/output.ts";
import { MAX_RESULT_BYTES } from "../../protocol/limits.ts";
import { checkReceiptChain, type Receipt, readReceipt } from "../../protocol/receipt.ts";
import { refuse } from "../../protocol/refusal.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { ReceiptPlace } from "../home/cache.ts";
import { Fault } from "../fault.ts";
import { placeAmong, type Reader } from "./reader.ts";
import { partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";

/** What a receipt has to answer. */
export type Asked = { readonly statement: string; readonly manifest: JobManifest };

export type Answer = {
  readonly receipt: Receipt;
  readonly id: string;
  /** The verified output; absent where there is none, or this client is no reader. */
  readonly output: readonly KeptStream[] | undefined;
};

/** A receipt for exactly this job by this device. Throws a refusal; its chain is not looked at. */
export function readAnswer(
  envelope: Uint8Array,
  { asked, device, tenant }: { asked: Asked; device: RosterDevice; tenant: string },
): { receipt: Receipt; id: string } {
  const read = readReceipt(envelope, { sig: device.sig, tenant });
  const { job, statement } = read.receipt;
  if (job !== asked.manifest.job || statement !== asked.statement) {
    throw refuse("job-id-reused", `the receipt answers job ${job}, statement ${statement}`);
  }
  checkOccurrence(read.receipt, asked);
  return read;
}

/** A job that comes round is answered by its occurrences; one that was refused as a whole, and any other job, has none. */
function checkOccurrence({ occurrence, outcome }: Receipt, { manifest: { runs } }: Asked): void {
  const isFit =
    occurrence === undefined ? runs === undefined || outcome.type === "refused" : occurrence <= (runs?.count ?? 0);
  if (!isFit)
    throw refuse("field-invalid", `occurrence ${occurrence ?? "missing"} of ${runs?.count ?? "a job that runs once"}`);
}

/**
 * Holds a receipt against the device's chain as far as this client has verified it, and verifies on to it, asking the
 * relay for receipts in between. Throws `receipt-chain` where the chain has a gap, branches or was set back.
 */
export async function verifyChain(
  session: Session,
  device: RosterDevice,
  { receipt, id }: { receipt: Receipt; id: string },
): Promise<void> {
  const { cache } = session.desk;
  const seen = cache.receiptId(device.device, receipt.seq);
  if (seen === id) return;
  if (seen !== undefined)
    throw refuse("receipt-chain", `receipt ${receipt.seq} of ${device.name} is ${id}, before it was ${seen}`);
  let before = cache.chainHead(device.device) ?? { seq: 0, id: device.request };
  if (before.seq >= receipt.seq)
    throw refuse("receipt-chain", `receipt ${receipt.seq} of ${device.name} was left out before`);
  const places: ReceiptPlace[] = [];
  while (before.seq + 1 < receipt.seq) {
    const page = await chainPage(session, device, before);
    places.push(...page.slice(0, receipt.seq - 1 - before.seq));
    before = places.at(-1) ?? before;
  }
  checkReceiptChain(before, receipt);
  places.push({ seq: receipt.seq, id });
  cache.addReceipts(device.device, places, { receipt: receipt.seq, ...receipt.keyHead });
}

async function chainPage(
  session: Session,
  { device, sig, name }: RosterDevice,
  from: ReceiptPlace,
): Promise<readonly ReceiptPlace[]> {
  const ask = { type: "list-receipts", device, from: from.seq + 1 };
  const { parts } = await session.client.ask("receipts", ask);
  if (parts.length === 0) throw refuse("receipt-chain", `the relay has no receipt ${from.seq + 1} of ${name}`);
  let before = from;
  return parts.map((envelope) => {
    const { receipt, id } = readReceipt(envelope, { sig, tenant: session.state.tenant });
    checkReceiptChain(before, receipt);
    return (before = { seq: receipt.seq, id });
  });
}

/** Fetches and opens the output that a receipt names. Throws `output-*` refusals. */
export async function readOutput(
  session: Session,
  receipt: Receipt,
  { readers, reader }: { readers: readonly string[]; reader: Reader },
): Promise<readonly KeptStream[]> {
  // A fetched file is no output: it goes to a file of its own.
  if (receipt.result === undefined || receipt.outcome.type === "fetched") return [];
  const result = await fetchResult(session, receipt);
  const place = placeAmong(readers, reader);
  if (place < 0) throw refuse("output-sealed");
  return await openOutputBy(reader.unwrap, result, { receipt, readers, place });
}

async function fetchResult(session: Session, { job, device, seq, result }: Receipt): Promise<Uint8Array> {
  const size = result?.size ?? 0;
  if (size > MAX_RESULT_BYTES) throw new Fault("relay-odd", `a result of ${size} bytes`);
  const whole = new Uint8Array(size);
  for (let offset = 0; offset < size; ) {
    const { parts } = await session.client.ask("result", { type: "read-result", job, device, seq, offset });
    const part = partAt(parts, 0);
    // A relay that has less, or gives more, than the device signed has changed it.
    if (part.length === 0 || offset + part.length > size)
      throw refuse("output-digest", `cut at ${offset} of ${size} bytes`);
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
