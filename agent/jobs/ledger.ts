// The ledger: which jobs this device has taken. A job stands in it, on the disk, before anything of it runs, and is never run twice.
import * as v from "valibot";
import type { JobBody } from "../../protocol/job-body.ts";
import { dueAt, type Schedule } from "../../protocol/runs.ts";
import type { VerifiedJob } from "../../protocol/verify-job.ts";
import { Window } from "../../protocol/window.ts";
import { bytesOf, numberOf, optionalNumberOf, optionalTextOf, type Row, textOf } from "../state/row.ts";
import type { State } from "../state/state.ts";
import { countBarred, forgetBarred } from "./barred.ts";
import type { Waiting } from "./turn-queue.ts";

//   waiting --> started --> finished          claimed and to run later, or at once; `started` after a crash is `lost`
//      |  ^________/           ^              a job that runs several times waits again for its next occurrence
//      \_______________________|              expired, or its key was ended, before its turn came

/** A job as it came, kept until it has finished. */
export type Delivery = { readonly envelope: Uint8Array; readonly wrap: Uint8Array; readonly body: Uint8Array };

export type WaitingJob = Delivery & {
  readonly job: string;
  readonly statement: string;
};

/** A job that runs several times, and its occurrence that runs, or else the next. */
export type Recurrence = Schedule & { readonly occurrence: number };

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

export type Claim = {
  readonly delivery: Delivery;
  readonly bootId: string;
  readonly startedAt: number | undefined;
  readonly body: Pick<JobBody, "mayReboot" | "lock" | "window" | "files">;
};

/** Of a job that takes no turn. */
export const PLAIN: Claim["body"] = { mayReboot: false };

/** Claims a job, inside the caller's transaction: to be started at `startedAt`, or else to wait with its `delivery`. */
export function claim(
  state: State,
  { manifest, statement, signers }: VerifiedJob,
  { delivery, bootId, startedAt, body }: Claim,
): void {
  state.run(
    `INSERT INTO ledger (job, statement, state, accepted, not_before, expires_at, boot_id, started_at, signer, may_reboot, lock, window,
       has_files, every_ms, run_count, occurrence, envelope, wrap, body)
     VALUES (?, ?, ?, (SELECT COALESCE(MAX(accepted), 0) + 1 FROM ledger), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    manifest.job,
    statement,
    startedAt === undefined ? "waiting" : "started",
    manifest.notBefore,
    manifest.expiresAt,
    bootId,
    startedAt ?? null,
    signers[0] ?? "",
    body.mayReboot ? 1 : 0,
    body.lock ?? null,
    body.window === undefined ? null : JSON.stringify(body.window),
    body.files === undefined ? 0 : 1,
    manifest.runs?.everyMs ?? null,
    manifest.runs?.count ?? null,
    manifest.runs === undefined ? null : 1,
    ...(startedAt === undefined ? [delivery.envelope, delivery.wrap, delivery.body] : [null, null, null]),
  );
}

/** A waiting job begins, inside the caller's transaction. Whether it still waited: nothing else may be run. */
export function begin(
  state: State,
  job: string,
  { bootId, startedAt, occurrence }: { bootId: string; startedAt: number; occurrence?: number | undefined },
): boolean {
  const row = state.get(
    `UPDATE ledger SET state = 'started', boot_id = ?, started_at = ?, occurrence = ?
       WHERE job = ? AND state = 'waiting' AND (occurrence IS NULL OR occurrence <= ?) RETURNING job`,
    bootId,
    startedAt,
    occurrence ?? null,
    job,
    occurrence ?? 0,
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

/** The jobs that wait, in the order of acceptance. What orders them decides nothing: the body does, when its turn comes. */
export function waitingJobs(state: State): readonly Waiting[] {
  return state
    .all(
      `SELECT job, signer, not_before, expires_at, lock, window, every_ms, run_count, occurrence FROM ledger
         WHERE state = 'waiting' ORDER BY accepted`,
    )
    .map(turnOf);
}

/** Those of the jobs that wait whose files have to be here before their turn. */
export function waitingForFiles(state: State): ReadonlySet<string> {
  const rows = state.all("SELECT job FROM ledger WHERE state = 'waiting' AND has_files = 1");
  return new Set(rows.map((row) => textOf(row, "job")));
}

/** What orders one job that waits. */
export function waitingTurn(state: State, job: string): Waiting | undefined {
  const row = state.get(
    `SELECT job, signer, not_before, expires_at, lock, window, every_ms, run_count, occurrence FROM ledger
       WHERE state = 'waiting' AND job = ?`,
    job,
  );
  return row === undefined ? undefined : turnOf(row);
}

/** Of a job that runs several times and has not ended. */
export function recurrenceOf(state: State, job: string): Recurrence | undefined {
  const row = state.get(
    "SELECT not_before, every_ms, run_count, occurrence FROM ledger WHERE job = ? AND state <> 'finished'",
    job,
  );
  return row === undefined ? undefined : recurrenceIn(row);
}

/** The run of an occurrence is over and another follows, inside the caller's transaction. Whether it ran. */
export function awaitOccurrence(state: State, job: string, occurrence: number): boolean {
  const row = state.get(
    `UPDATE ledger SET state = 'waiting', occurrence = ? WHERE job = ? AND state = 'started' AND occurrence < ? RETURNING job`,
    occurrence,
    job,
    occurrence,
  );
  return row !== undefined;
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

function turnOf(row: Row): Waiting {
  const recurrence = recurrenceIn(row);
  const window = optionalTextOf(row, "window");
  return {
    job: textOf(row, "job"),
    signer: textOf(row, "signer"),
    notBefore: recurrence === undefined ? numberOf(row, "not_before") : dueAt(recurrence, recurrence.occurrence),
    expiresAt: numberOf(row, "expires_at"),
    lock: optionalTextOf(row, "lock"),
    window: window === undefined ? undefined : v.parse(Window, JSON.parse(window)),
  };
}

function recurrenceIn(row: Row): Recurrence | undefined {
  const everyMs = optionalNumberOf(row, "every_ms");
  if (everyMs === undefined) return undefined;
  const runs = { everyMs, count: numberOf(row, "run_count") };
  return { notBefore: numberOf(row, "not_before"), runs, occurrence: numberOf(row, "occurrence") };
}
