// Jobs that were cancelled before they came: until their own end they may not run here. They count as jobs of the ledger.
import { numberOf, textOf } from "../state/row.ts";
import type { State } from "../state/state.ts";

export type Barred = { readonly job: string; readonly statement: string; readonly expiresAt: number };

/** Inside the caller's transaction. Of two ends for one job the later counts. */
export function bar(state: State, { job, statement, expiresAt }: Barred): void {
  state.run(
    `INSERT INTO barred (job, statement, expires_at) VALUES (?, ?, ?)
     ON CONFLICT (job) DO UPDATE SET expires_at = MAX(expires_at, excluded.expires_at)`,
    job,
    statement,
    expiresAt,
  );
}

/** The statement that may not run under this id. */
export function barredStatement(state: State, job: string): string | undefined {
  const row = state.get("SELECT statement FROM barred WHERE job = ?", job);
  return row === undefined ? undefined : textOf(row, "statement");
}

/** It has come and stands in the ledger now. Inside the caller's transaction. */
export function unbar(state: State, job: string): void {
  state.run("DELETE FROM barred WHERE job = ?", job);
}

export function countBarred(state: State): number {
  return numberOf(state.get("SELECT COUNT(*) AS jobs FROM barred") ?? {}, "jobs");
}

/** As with finished jobs: those that no clock can make acceptable again. Inside the caller's transaction. */
export function forgetBarred(state: State, floor: number): void {
  state.run("DELETE FROM barred WHERE expires_at < ?", floor);
}
