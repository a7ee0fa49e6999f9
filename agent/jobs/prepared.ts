// What takes a turn on this device, once it has looked whether it can be done: a program to run, a file to be read, or the agent's
// own program to be replaced.
import type { JobFile } from "../../protocol/job-file.ts";
import { archiveFile } from "../../protocol/update-body.ts";
import type { Runnable, RunnableJob } from "../../protocol/verify-job.ts";
import { checkFiles } from "../files/place-files.ts";
import { type PreparedJob, prepareJob, type RunEnvironment } from "../run/run-job.ts";
import { checkUpdate } from "../update/self-update.ts";
import { type Claim, PLAIN } from "./ledger.ts";
import type { Waiting } from "./turn-queue.ts";

/** A cancel takes none. */
export type TurnTaker = Exclude<RunnableJob, { readonly kind: "cancel" }>;
export type PreparedRun = { readonly kind: "run" } & PreparedJob;
export type PreparedUpdate = { readonly kind: "update"; readonly runnable: Runnable<"update"> };
export type Prepared = PreparedRun | PreparedUpdate | { readonly kind: "fetch"; readonly runnable: Runnable<"fetch"> };

/** Of updates alone: no job can name it, because it is no `Word`. */
export const UPDATE_LOCK = "the agent itself";

/** Throws what `prepareJob`, `checkFiles` and `checkUpdate` throw. */
export function prepare(runnable: TurnTaker, environment: RunEnvironment): Prepared {
  if (runnable.kind === "fetch") return { kind: "fetch", runnable };
  if (runnable.kind === "update") {
    checkUpdate(runnable.body, environment.self);
    return { kind: "update", runnable };
  }
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
  if (runnable.kind === "update") return { mayReboot: false, lock: UPDATE_LOCK, files: broughtFiles(runnable) };
  return runnable.kind === "run" ? runnable.body : PLAIN;
}

/** What has to come before its turn. */
export function broughtFiles(runnable: TurnTaker): JobFile[] {
  if (runnable.kind === "update") return [archiveFile(runnable.body)];
  return runnable.kind === "run" ? (runnable.body.files ?? []) : [];
}

/** Whether files have to be placed before it begins. */
export function placesFiles(prepared: Prepared): prepared is PreparedRun {
  return prepared.kind === "run" && prepared.runnable.body.files !== undefined;
}
