// What takes a turn on this device, once it has looked whether it can be done: a program to run, or a file to be read.
import type { Runnable, RunnableJob } from "../protocol/verify-job.ts";
import { type Claim, PLAIN } from "./ledger.ts";
import { checkFiles } from "./place-files.ts";
import { type PreparedJob, prepareJob, type RunEnvironment } from "./run/run-job.ts";
import type { Waiting } from "./turn-queue.ts";

/** A cancel takes none. */
export type TurnTaker = Exclude<RunnableJob, { readonly kind: "cancel" }>;
export type PreparedRun = { readonly kind: "run" } & PreparedJob;
export type Prepared = PreparedRun | { readonly kind: "fetch"; readonly runnable: Runnable<"fetch"> };

/** Throws what `prepareJob` and `checkFiles` throw. */
export function prepare(runnable: TurnTaker, environment: RunEnvironment): Prepared {
  if (runnable.kind === "fetch") return { kind: "fetch", runnable };
  const prepared = prepareJob(runnable, environment);
  checkFiles(prepared, environment);
  return { kind: "run", ...prepared };
}

/** How it stands among those that wait, from its first time on. */
export function waitingOf({ runnable }: Prepared): Waiting {
  const { manifest, signers } = runnable.job;
  const { job, notBefore, expiresAt } = manifest;
  return signedTurn(
    { job, signer: signers[0] ?? "", notBefore, expiresAt, lock: undefined, window: undefined },
    runnable,
  );
}

/** A turn as the signed body has it. */
export function signedTurn(turn: Waiting, runnable: TurnTaker): Waiting {
  const { lock, window } = bodyOfTurn(runnable);
  return { ...turn, lock, window };
}

/** What the ledger notes of a body. */
export function bodyOfTurn(runnable: TurnTaker): Claim["body"] {
  return runnable.kind === "run" ? runnable.body : PLAIN;
}

/** Whether files have to come and be placed before it begins. */
export function hasFiles(prepared: Prepared): prepared is PreparedRun {
  return prepared.kind === "run" && prepared.runnable.body.files !== undefined;
}
