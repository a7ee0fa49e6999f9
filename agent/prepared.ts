// What this device can do, once it has looked whether it can: a run, or a file to be read.
import type { Outcome } from "../protocol/outcome.ts";
import type { Refusal } from "../protocol/refusal.ts";
import type { Runnable, RunnableJob } from "../protocol/verify-job.ts";
import { checkFiles } from "./place-files.ts";
import { type PreparedJob, prepareJob, type RunEnvironment } from "./run/run-job.ts";
import type { Waiting } from "./turn-queue.ts";

export type PreparedRun = { readonly kind: "run" } & PreparedJob;
export type Prepared = PreparedRun | { readonly kind: "fetch"; readonly runnable: Runnable<"fetch"> };

/** Throws what `prepareJob` and `checkFiles` throw. */
export function prepare(runnable: RunnableJob, environment: RunEnvironment): Prepared {
  if (runnable.kind === "fetch") return { kind: "fetch", runnable };
  if (runnable.kind !== "run") throw new Error(`internal error: a job of kind ${runnable.kind} in the queue`);
  const prepared = prepareJob(runnable, environment);
  checkFiles(prepared, environment);
  return { kind: "run", ...prepared };
}

/** How it stands among those that wait. */
export function turnOf(prepared: Prepared): Waiting {
  const { job, notBefore } = prepared.runnable.job.manifest;
  return { job, notBefore, lock: prepared.kind === "run" ? prepared.runnable.body.lock : undefined };
}

/** Whether files have to come and be placed before it begins. */
export function hasFiles(prepared: Prepared): prepared is PreparedRun {
  return prepared.kind === "run" && prepared.runnable.body.files !== undefined;
}

/** The outcome of an accepted job that may not run when its turn comes. */
export function endedWaiting(refusal: Refusal): Outcome {
  if (refusal.code === "job-expired") return { type: "expired" };
  if (refusal.code === "signer-revoked") return { type: "cancelled", by: "key-revoked" };
  return { type: "refused", code: refusal.code, detail: refusal.detail.slice(0, 200).toWellFormed() };
}
