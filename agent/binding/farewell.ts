// The last words of an identity that a rebind ended: the answers that it still owed, and where the device went. Said over the
// connection that is open yet, else over one of their own; then forgotten, with the key that they were said by.
import type { Logger } from "pino";
import * as v from "valibot";
import { type Signer, signerOf } from "../../protocol/signature.ts";
import type { OutboxReceipt } from "../answers/outbox.ts";
import { sendReceipt } from "../answers/uploads.ts";
import { type RelayConnection, RelayFailure } from "../connection/relay-connection.ts";
import { MAX_FAREWELL_RECEIPTS } from "../limits.ts";
import { bytesOf, numberOf, textOf } from "../state/row.ts";
import type { State } from "../state/state.ts";

export type Farewell = {
  /** The former identity: good for a login at the former owner's relays, and for nothing else here. */
  readonly tenant: string;
  readonly device: string;
  readonly signer: Signer;
  readonly relays: readonly string[];
  readonly report: Uint8Array;
  readonly receipts: readonly OutboxReceipt[];
  readonly leftAt: number;
};

/**
 * Keeps aside what the present identity has still to say, inside the transaction that ends its binding. It takes the place of
 * an earlier one that nobody has heard yet.
 */
export function keepFarewell(state: State, report: Uint8Array, now: number): void {
  forgetFarewell(state);
  state.run(
    `INSERT INTO former (one, tenant, device, seed, relays, report, left_at)
       SELECT 1, tenant, device, seed, relays, ?, ? FROM owner`,
    report,
    now,
  );
  state.run(
    "INSERT INTO farewell (seq, job, bytes) SELECT seq, job, bytes FROM receipt WHERE stored = 0 ORDER BY seq LIMIT ?",
    MAX_FAREWELL_RECEIPTS,
  );
}

/** Inside the caller's transaction. */
export function forgetFarewell(state: State): void {
  for (const table of ["farewell", "former"]) state.run(`DELETE FROM ${table}`);
}

/** It was heard, or nobody hears it any more. One that came in its place meanwhile stays. */
export function endFarewell(state: State, { device }: Farewell): void {
  state.write("farewell", () => {
    if (state.get("SELECT 1 FROM former WHERE device = ?", device) !== undefined) forgetFarewell(state);
  });
}

const Relays = v.array(v.string());

export function readFarewell(state: State): Farewell | undefined {
  const row = state.get("SELECT * FROM former");
  if (row === undefined) return undefined;
  return {
    tenant: textOf(row, "tenant"),
    device: textOf(row, "device"),
    signer: signerOf(bytesOf(row, "seed")),
    relays: v.parse(Relays, JSON.parse(textOf(row, "relays"))),
    report: bytesOf(row, "report"),
    receipts: state.all("SELECT seq, job, bytes FROM farewell ORDER BY seq").map((receipt) => ({
      seq: numberOf(receipt, "seq"),
      job: textOf(receipt, "job"),
      bytes: bytesOf(receipt, "bytes"),
      result: undefined,
    })),
    leftAt: numberOf(row, "left_at"),
  };
}

/**
 * Says all of it over a connection under the former identity, and answers whether all of it was taken. What a relay refuses
 * keeps nothing after it from being said. Throws `ConnectionLost`.
 */
export async function sayFarewell(connection: RelayConnection, farewell: Farewell, log: Logger): Promise<boolean> {
  const words = [
    ...farewell.receipts.map((receipt) => () => sendReceipt(connection, receipt)),
    () => connection.request({ type: "report" }, [farewell.report]),
  ];
  let isHeard = true;
  for (const say of words) isHeard = (await isTaken(say, log)) && isHeard;
  if (isHeard) log.info({ receipts: farewell.receipts.length }, "last words said to the former owner");
  return isHeard;
}

async function isTaken(say: () => Promise<unknown>, log: Logger): Promise<boolean> {
  try {
    await say();
    return true;
  } catch (error) {
    if (!(error instanceof RelayFailure)) throw error;
    log.warn({ code: error.code }, "the former owner's relay did not take a last word");
    return false;
  }
}
