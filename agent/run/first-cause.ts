// How one process of a job ended: the first of its causes, in the words of an outcome (SPEC 9.2).
import { type Outcome, refusedOutcome } from "../../protocol/outcome.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { JobProcess } from "./containment.ts";
import type { KeptOutput } from "./kept-output.ts";
import type { Source } from "./source-file.ts";

export type Causes = {
  readonly stop: PromiseWithResolvers<Outcome>;
  /** Why the job's program was not reached although something was spawned. */
  readonly fault: Promise<string | undefined> | undefined;
};

/** Exit, time limit or a stop from outside: the one that comes first is how this process ended. */
export function firstCause(child: JobProcess, { stop, fault }: Causes): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  child.once("error", (error) => resolve(notStarted(error)));
  child.once("exit", (code, signal) => {
    const exited = exitOutcome(code, signal);
    if (fault === undefined) resolve(exited);
    else void fault.then((error) => resolve(error === undefined ? exited : { type: "not-started", error }));
  });
  return Promise.race([promise, stop.promise]);
}

const SHELL_SILENT = "SHELL_SILENT";

/** A time limit of a shell that never came to its script is no time-out of the script. */
export function seenThrough(
  outcome: Outcome,
  { source, kept }: { source: Source | undefined; kept: readonly KeptOutput[] },
): Outcome {
  const isSilent = source?.hasBegun?.() === false && kept.every(({ size }) => size === 0);
  return outcome.type === "timed-out" && isSilent ? { type: "not-started", error: SHELL_SILENT } : outcome;
}

function exitOutcome(code: number | null, signal: NodeJS.Signals | null): Outcome {
  if (signal !== null) return { type: "signalled", signal };
  return { type: "exited", code: code ?? 0 };
}

export function notStarted(error: unknown): Outcome {
  if (error instanceof Refusal) return refusedOutcome(error);
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "UNKNOWN";
  return { type: "not-started", error: /^[A-Z0-9_]{1,40}$/.test(code) ? code : "UNKNOWN" };
}
