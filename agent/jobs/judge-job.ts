// What this device knows when it judges a job as it comes, and the judging anew of one that waited.
import { type Outcome, refusedOutcome } from "../../protocol/outcome.ts";
import type { Refusal } from "../../protocol/refusal.ts";
import { type JobContext, type RunnableJob, VerifiedJob } from "../../protocol/verify-job.ts";
import { claimedBy, type WaitingJob } from "./ledger.ts";
import { heardAtPlace, keyLogView, readVouches } from "../binding/owner.ts";
import type { OwnerState } from "../binding/owner-state.ts";
import type { TurnTaker } from "./prepared.ts";

type Judge = {
  readonly owned: OwnerState;
  readonly agent: { readonly number: number };
  /** The system's clock. */
  readonly now: () => number;
};

export function jobContext({ owned, agent, now }: Judge, asked: boolean): JobContext {
  const { state, owner } = owned;
  return {
    keyLog: keyLogView(state, owned.keyState),
    device: owner.device,
    class: owned.class,
    agentVersion: agent.number,
    now: Math.max(now(), owned.floor()),
    heardAt: (seq) => heardAtPlace(state, seq),
    vouches: readVouches(state),
    claimed: (job) => claimedBy(state, job),
    asked,
  };
}

/** A waiting job out of the ledger, judged as SPEC 8.4 says. Throws a refusal: it may not run any more. */
export function judgeAgain(waiting: WaitingJob, judge: Judge): TurnTaker {
  const job = VerifiedJob.resume(waiting.envelope, jobContext(judge, true));
  return turnTakerIn(job.open(waiting, judge.owned.owner.sealing));
}

function turnTakerIn(runnable: RunnableJob): TurnTaker {
  if (runnable.kind !== "cancel") return runnable;
  throw new Error(`internal error: a job of kind ${runnable.kind} in the queue`);
}

/** The outcome of an accepted job that may not run when its turn comes. */
export function endedWaiting(refusal: Refusal): Outcome {
  if (refusal.code === "job-expired") return { type: "expired" };
  if (refusal.code === "signer-revoked") return { type: "cancelled", by: "key-revoked" };
  return refusedOutcome(refusal);
}
