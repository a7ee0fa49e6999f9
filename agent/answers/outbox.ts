// Receipts: made inside the transaction that ends a job, kept until the relay has confirmed that it stored them.
import type { SealedOutput } from "../../protocol/output.ts";
import type { PlatformLimit } from "../../protocol/job-body.ts";
import type { LogPlace } from "../../protocol/fields.ts";
import { type Outcome, outcomeWords } from "../../protocol/outcome.ts";
import { type Receipt, signReceipt } from "../../protocol/receipt.ts";
import { append } from "../state/journal.ts";
import { MAX_STORED_RECEIPTS, STORED_RECEIPT_DAYS } from "../limits.ts";
import type { Owner } from "../binding/owner.ts";
import { bytesOf, numberOf, optionalBytesOf, type Row, textOf } from "../state/row.ts";
import type { OwnerState } from "../binding/owner-state.ts";
import type { State } from "../state/state.ts";

/** What this device is now, for every receipt. */
export type Standing = {
  readonly owner: Owner;
  readonly keyHead: LogPlace;
  readonly forks: readonly string[];
  readonly bootId: string;
  readonly agent: string;
  /** The system's clock. */
  readonly time: number;
};

/** `owner` as it is now: with the key log followed and the floor raised since it was read. */
export function standingOf(owner: Owner, now: Pick<Standing, "bootId" | "agent" | "time">): Standing {
  const { head: keyHead, forks } = owner.keyState;
  return { owner, keyHead, forks: forks.map(({ id }) => id), ...now };
}

/** How one job ended, or why it was not begun. */
export type Answer = {
  readonly job: string;
  readonly statement: string;
  readonly outcome: Outcome;
  /** Of a job that runs several times. */
  readonly run?: { readonly occurrence: number; readonly runsLeft: number };
  readonly startedAt?: number;
  readonly contained: Receipt["contained"];
  readonly unenforced?: readonly PlatformLimit[];
  readonly interpreter?: string;
  readonly interpreterVersion?: string;
  readonly result?: SealedOutput;
  /** What was streamed while it ran. */
  readonly live?: NonNullable<Receipt["live"]>;
  /** A result in a file of its own, in place of `result`. */
  readonly file?: FileResult;
};

/** A sealed result on the disk: `name` in the folder of fetched files. */
export type FileResult = { readonly name: string; readonly result: NonNullable<Receipt["result"]> };

export type OutboxReceipt = {
  readonly seq: number;
  readonly job: string;
  readonly bytes: Uint8Array;
  readonly result: Uint8Array | undefined;
  /** Name of the file that has the result, in place of `result`. */
  readonly file?: string;
};

const DAY_MS = 86_400_000;

/** Writes journal entry and receipt for an answer, inside the caller's transaction. The chain is unbroken by construction. */
export function answer(state: State, standing: Standing, given: Answer): OutboxReceipt {
  const { owner, time } = standing;
  const last = state.get("SELECT seq, id FROM receipt ORDER BY seq DESC LIMIT 1");
  const seq = last === undefined ? 1 : numberOf(last, "seq") + 1;
  const journal = append(state, time, {
    type: "finished",
    job: given.job,
    statement: given.statement,
    outcome: outcomeWords(given.outcome),
    ...(given.run === undefined ? {} : { occurrence: given.run.occurrence }),
    receipt: seq,
  });
  const { bytes, id } = signReceipt(
    {
      tenant: owner.tenant,
      device: owner.device,
      seq,
      prev: last === undefined ? owner.enrolment.id : textOf(last, "id"),
      job: given.job,
      statement: given.statement,
      ...given.run,
      outcome: given.outcome,
      ...(given.startedAt === undefined ? {} : { startedAt: given.startedAt }),
      finishedAt: time,
      output: [...(given.result?.output ?? [])],
      ...resultOf(given),
      ...(given.live === undefined ? {} : { live: given.live }),
      contained: given.contained,
      ...(given.unenforced === undefined ? {} : { unenforced: [...given.unenforced] }),
      ...(given.interpreter === undefined ? {} : { interpreter: given.interpreter }),
      ...(given.interpreterVersion === undefined ? {} : { interpreterVersion: given.interpreterVersion }),
      keyHead: standing.keyHead,
      forks: [...standing.forks],
      journal,
      bootId: standing.bootId,
      time,
      clock: time < owner.floor ? "behind" : "ok",
      agent: standing.agent,
    },
    owner.signer,
  );
  const result = given.result?.sealed;
  state.run(
    `INSERT INTO receipt (seq, id, job, bytes, result, time, stored, result_file, result_bytes)
     VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)`,
    seq,
    id,
    given.job,
    bytes,
    result ?? null,
    time,
    given.file?.name ?? null,
    given.file?.result.size ?? 0,
  );
  return { seq, job: given.job, bytes, result, ...(given.file === undefined ? {} : { file: given.file.name }) };
}

function resultOf({ result, file }: Answer): Pick<Receipt, "result"> {
  const named = result?.result ?? file?.result;
  return named === undefined ? {} : { result: named };
}

/** Files in which results wait for the relay. */
export function resultFiles(state: State): ReadonlySet<string> {
  const rows = state.all("SELECT result_file FROM receipt WHERE stored = 0 AND result_file IS NOT NULL");
  return new Set(rows.map((row) => textOf(row, "result_file")));
}

/** Whether a job has an answer that is still kept here, also where the ledger has forgotten the job. */
export function hasReceipt(state: State, job: string): boolean {
  return state.get("SELECT 1 FROM receipt WHERE job = ? LIMIT 1", job) !== undefined;
}

/** Receipts that the relay has not confirmed, in order. */
export function waitingReceipts(
  state: State,
  { after, count }: { after: number; count: number },
): readonly OutboxReceipt[] {
  return state
    .all(
      "SELECT seq, job, bytes, result, result_file FROM receipt WHERE stored = 0 AND seq > ? ORDER BY seq LIMIT ?",
      after,
      count,
    )
    .map(receiptOf);
}

/**
 * The relay has it: its result need not be kept, and old confirmed receipts go, but never the last one of the chain. Lost with
 * the power, the receipt is sent again, and a relay answers the same bytes in the same way.
 */
export function confirmStored(owned: OwnerState, seq: number, now: number): void {
  owned.writeSoon("confirm receipt", (state) => {
    state.run("UPDATE receipt SET stored = 1, result = NULL WHERE seq = ?", seq);
    state.run(
      "DELETE FROM receipt WHERE stored = 1 AND seq < ? AND (time < ? OR seq < ?)",
      seq,
      now - STORED_RECEIPT_DAYS * DAY_MS,
      seq - MAX_STORED_RECEIPTS,
    );
  });
}

/** Receipts that this identity of the device has made. */
export function receiptCount(state: State): number {
  return numberOf(state.get("SELECT COALESCE(MAX(seq), 0) AS seq FROM receipt") ?? {}, "seq");
}

/** How many receipts wait, and the bytes of their results. */
export function outboxLoad(state: State): { readonly receipts: number; readonly bytes: number } {
  const row = state.get(
    "SELECT COUNT(*) AS receipts, COALESCE(SUM(COALESCE(LENGTH(result), result_bytes)), 0) AS bytes FROM receipt WHERE stored = 0",
  );
  return row === undefined
    ? { receipts: 0, bytes: 0 }
    : { receipts: numberOf(row, "receipts"), bytes: numberOf(row, "bytes") };
}

function receiptOf(row: Row): OutboxReceipt {
  return {
    seq: numberOf(row, "seq"),
    job: textOf(row, "job"),
    bytes: bytesOf(row, "bytes"),
    result: optionalBytesOf(row, "result"),
    ...(row["result_file"] === null ? {} : { file: textOf(row, "result_file") }),
  };
}
