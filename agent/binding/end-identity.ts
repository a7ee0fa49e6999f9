// The end of one identity of this device, by another owner, by new keys or because the agent is uninstalled: its jobs get their
// receipts, the journal says how far it came, ledger and outbox are emptied. All of it inside the caller's transaction.
import { toBase64url } from "../../protocol/bytes.ts";
import { machineTag } from "../../protocol/enrolment.ts";
import type { Outcome } from "../../protocol/outcome.ts";
import { answer, receiptCount, standingOf } from "../answers/outbox.ts";
import { noteEnded } from "../jobs/cancels.ts";
import { startedJobs, waitingJob, waitingJobs } from "../jobs/ledger.ts";
import { endJob } from "../jobs/occurrences.ts";
import type { Machine } from "../machine.ts";
import { append, type JournalPlace } from "../state/journal.ts";
import type { State } from "../state/state.ts";
import type { AgentVersion } from "../version.ts";
import type { Owner } from "./owner.ts";

export type IdentityEnd = {
  readonly state: State;
  readonly machine: Machine;
  readonly agent: AgentVersion;
  readonly now: number;
};

/** How a job ends that has begun, and how one that waits. */
type Endings = { readonly begun: Outcome; readonly waiting: Outcome };

/** Ends every unfinished job with a receipt of the device as it was. */
export function endJobs(before: Owner, { state, now, machine, agent }: IdentityEnd, endings: Endings): void {
  const standing = standingOf(before, { bootId: machine.bootId, agent: agent.text, time: now });
  for (const { job, statement, startedAt } of openJobs(state)) {
    const outcome = startedAt === undefined ? endings.waiting : endings.begun;
    const ran =
      startedAt === undefined ? ({ contained: "yes" } as const) : ({ contained: "unknown", startedAt } as const);
    endJob(state, { job, statement, outcome, ...ran }, (given) => void answer(state, standing, given));
    noteEnded(state, standing, { job, outcome });
  }
}

/** The journal's entry that says how far this identity came, and its place. */
export function noteEnd(
  { tenant, device, keyState }: Owner,
  { state, now }: IdentityEnd,
  type: "unbound" | "left",
): JournalPlace {
  const { name, head } = keyState;
  return append(state, now, { type, tenant, name, device, keySeq: head.seq, receipts: receiptCount(state) });
}

/** Ledger and outbox begin empty with the next identity. */
export function emptyLedger(state: State): void {
  for (const table of ["ledger", "barred", "cancelling", "receipt", "refused"]) state.run(`DELETE FROM ${table}`);
}

/** Whether the identity was made on this machine, and not on one whose disk was copied. */
export function isMadeHere({ tenant, machineTag: tag }: Owner, machine: Machine): boolean {
  return tagOf(tenant, machine) === tag;
}

export function tagOf(tenant: string, { machineId }: Machine): string {
  return toBase64url(machineTag(tenant, machineId));
}

function openJobs(state: State): readonly { job: string; statement: string; startedAt?: number }[] {
  const waiting = waitingJobs(state).flatMap(({ job }) => waitingJob(state, job) ?? []);
  return [...startedJobs(state), ...waiting.map(({ job, statement }) => ({ job, statement }))];
}
