// The ledger: which jobs this device has taken. A job stands in it, on the disk, before anything of it runs, and is never run twice.
import type { VerifiedJob } from "../protocol/verify-job.ts";
import { countBarred, forgetBarred } from "./barred.ts";
import { bytesOf, numberOf, type Row, textOf } from "./row.ts";
import type { State } from "./state.ts";

//   waiting --> started --> finished          claimed and to run later, or at once; `started` after a crash is `lost`
//      \________________________^             expired, or its key was ended, before its turn came

/** A job as it came, kept until it has finished. */
export type Delivery = { readonly envelope: Uint8Array; readonly wrap: Uint8Array; readonly body: Uint8Array };

export type WaitingJob = Delivery & {
  readonly job: string;
  readonly statement: string;
};

export type StartedJob = {
  readonly job: string;
  readonly statement: string;
  readonly bootId: string;
  readonly mayReboot: boolean;
  readonly startedAt: number;
};

/** The statement that claimed a job id. */
export function claimedBy(state: State, job: string): string | undefined {
  const row = state.get("SELECT statement FROM ledger WHERE job = ?", job);
  return row === undefined ? undefined : textOf(row, "statement");
}

export type LedgerState = "waiting" | "started" | "finished";

/** What the ledger has under a job id. */
export function entryOf(state: State, job: string): { statement: string; state: LedgerState } | undefined {
  const row = state.get("SELECT statement, state FROM ledger WHERE job = ?", job);
  return row === undefined ? undefined : { statement: textOf(row, "statement"), state: ledgerStateOf(row) };
}

/** Claims a job, inside the caller's transaction: to be started at `startedAt`, or else to wait with its `delivery`. */
export function claim(
  state: State,
  { manifest, statement }: VerifiedJob,
  {
    delivery,
    bootId,
    mayReboot,
    startedAt,
  }: { delivery: Delivery; bootId: string; mayReboot: boolean; startedAt: number | undefined },
): void {
  state.run(
    `INSERT INTO ledger (job, statement, state, accepted, not_before, expires_at, boot_id, started_at, may_reboot, envelope, wrap, body)
     VALUES (?, ?, ?, (SELECT COALESCE(MAX(accepted), 0) + 1 FROM ledger), ?, ?, ?, ?, ?, ?, ?, ?)`,
    manifest.job,
    statement,
    startedAt === undefined ? "waiting" : "started",
    manifest.notBefore,
    manifest.expiresAt,
    bootId,
    startedAt ?? null,
    mayReboot ? 1 : 0,
    ...(startedAt === undefined ? [delivery.envelope, delivery.wrap, delivery.body] : [null, null, null]),
  );
}

/** A waiting job begins, inside the caller's transaction. Whether it still waited: nothing else may be run. */
export function begin(
  state: State,
  job: string,
  { bootId, startedAt }: { bootId: string; startedAt: number },
): boolean {
  const row = state.get(
    "UPDATE ledger SET state = 'started', boot_id = ?, started_at = ? WHERE job = ? AND state = 'waiting' RETURNING job",
    bootId,
    startedAt,
    job,
  );
  return row !== undefined;
}

/** A job has ended, inside the caller's transaction. Whether it had not before: only then may a receipt be made. */
export function finish(state: State, job: string): boolean {
  const row = state.get(
    "UPDATE ledger SET state = 'finished', envelope = NULL, wrap = NULL, body = NULL WHERE job = ? AND state <> 'finished' RETURNING job",
    job,
  );
  return row !== undefined;
}

/** Ids of the jobs that wait, in the order of acceptance. */
export function waitingJobs(state: State): readonly string[] {
  return state.all("SELECT job FROM ledger WHERE state = 'waiting' ORDER BY accepted").map((row) => textOf(row, "job"));
}

export function isWaiting(state: State, job: string): boolean {
  return state.get("SELECT 1 FROM ledger WHERE state = 'waiting' AND job = ?", job) !== undefined;
}

/** One job that waits, as it came. */
export function waitingJob(state: State, job: string): WaitingJob | undefined {
  const row = state.get(
    "SELECT job, statement, envelope, wrap, body FROM ledger WHERE state = 'waiting' AND job = ?",
    job,
  );
  return row === undefined ? undefined : waitingOf(row);
}

/** Jobs that were running when the agent or the system went down. A cancel that waits for them is none: it is done with the last. */
export function startedJobs(state: State): readonly StartedJob[] {
  return state
    .all(
      `SELECT job, statement, boot_id, may_reboot, started_at FROM ledger
       WHERE state = 'started' AND job NOT IN (SELECT cancel FROM cancelling) ORDER BY accepted`,
    )
    .map((row) => ({
      job: textOf(row, "job"),
      statement: textOf(row, "statement"),
      bootId: textOf(row, "boot_id"),
      mayReboot: numberOf(row, "may_reboot") === 1,
      startedAt: numberOf(row, "started_at"),
    }));
}

/**
 * Forgets finished jobs that no clock can make acceptable again, inside the caller's transaction: those that ended before
 * the floor. The clock alone does not do; set ahead and back again, it would let a job run twice (SPEC 8.5).
 */
export function forgetExpired(state: State, floor: number): void {
  state.run("DELETE FROM ledger WHERE state = 'finished' AND expires_at < ?", floor);
  forgetBarred(state, floor);
}

/** Those that came, and those that were cancelled before they came. */
export function countJobs(state: State): number {
  return numberOf(state.get("SELECT COUNT(*) AS jobs FROM ledger") ?? {}, "jobs") + countBarred(state);
}

function ledgerStateOf(row: Row): LedgerState {
  const state = textOf(row, "state");
  if (state === "waiting" || state === "started" || state === "finished") return state;
  throw new Error("internal error: a job in an unknown state");
}

function waitingOf(row: Row): WaitingJob {
  return {
    job: textOf(row, "job"),
    statement: textOf(row, "statement"),
    envelope: bytesOf(row, "envelope"),
    wrap: bytesOf(row, "wrap"),
    body: bytesOf(row, "body"),
  };
}
