// The agent under a service manager: what keeps it from serving is said at once and waited out, so that the manager may start an
// agent that was killed within seconds without starting one that cannot serve as often.
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { AgentFault } from "../fault.ts";
import { CANNOT_SERVE_LOOK_MS, CANNOT_SERVE_WAIT_MS } from "../limits.ts";
import type { Paths } from "../paths.ts";
import type { Supervisor } from "./supervisor.ts";

export type Supervised = {
  readonly supervisor: Supervisor;
  readonly stopping: AbortSignal;
  readonly paths: Paths;
};

/**
 * Whether whoever started this agent starts it again when it has ended: systemd, or Windows' service host, which holds its input. On macOS
 * nothing says so, and launchd starts an installed agent.
 */
export function startsAgain(
  platform: NodeJS.Platform,
  {
    supervisor,
    untilInputEnds,
  }: { readonly supervisor: Pick<Supervisor, "isThere">; readonly untilInputEnds: boolean },
): boolean {
  if (platform === "win32") return untilInputEnds;
  return platform === "darwin" || supervisor.isThere;
}

/** Serves. Rejects with what `serve` rejects with, where somebody starts the agent again not before it has waited. */
export async function superviseRun(serve: () => Promise<void>, given: Supervised): Promise<void> {
  const { supervisor, stopping } = given;
  stopping.addEventListener("abort", () => supervisor.stopping(), { once: true });
  try {
    await serve();
  } catch (error) {
    if (supervisor.isThere) await waitItOut(error, given);
    throw error;
  }
}

/** Until the time is over, the agent is to stop, or somebody binds the device, which may have put it right. */
async function waitItOut(error: unknown, { supervisor, stopping, paths }: Supervised): Promise<void> {
  supervisor.says(`cannot serve: ${reasonOf(error)}`);
  const before = touchedAt(paths);
  for (
    let waitedMs = 0;
    waitedMs < CANNOT_SERVE_WAIT_MS && touchedAt(paths) === before;
    waitedMs += CANNOT_SERVE_LOOK_MS
  ) {
    try {
      await sleep(CANNOT_SERVE_LOOK_MS, undefined, { signal: stopping });
    } catch {
      // Asked to stop: there is nothing else that ends a sleep.
      return;
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof AgentFault) return `${error.sentence} (${error.message}); ${error.hint}`;
  return error instanceof Error ? error.message : String(error);
}

/** When a package was last taken or refused here. */
function touchedAt({ ownerMark }: Paths): number | undefined {
  return statSync(ownerMark, { throwIfNoEntry: false })?.mtimeMs;
}
