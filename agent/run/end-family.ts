// Ending all processes of a job on Linux: asked first, killed then, and none of them able to make another while it is killed.
import { setTimeout as sleep } from "node:timers/promises";
import { END_GRACE_MS, KILL_WAIT_MS } from "../limits.ts";
import { freeze, killMembers } from "./cgroup.ts";
import type { Family } from "./family.ts";
import type { Libc } from "./libc.ts";
import { nameOf, type Process, signalProcess } from "./processes.ts";

const POLL_MS = 20;
/** Where there are thousands of processes, looking takes this much less time than waiting. */
const LOOK_SHARE = 5;
/** Processes that are being stopped make fewer new ones each time; what does not settle by then is killed as it stands, and again. */
const MAX_STOP_ROUNDS = 20;

/** What lives of a family. `isGone`: nothing, and nothing that came and went too fast to be seen. */
export type Look = { readonly living: readonly Process[]; readonly isGone: boolean };

/** SIGTERM to all, the grace time, SIGKILL. Settles when none is left or the kernel had its time. */
export async function endFamily(family: Family, look: () => Look, libc: Libc | undefined): Promise<void> {
  const { living, isGone } = look();
  if (isGone) return;
  // What is stopped hears SIGTERM only when it goes on.
  for (const signal of ["SIGTERM", "SIGCONT"] as const) for (const one of living) signalProcess(one, signal, libc);
  if (await hasGone(look, END_GRACE_MS)) return;
  const deadline = performance.now() + KILL_WAIT_MS;
  while (performance.now() < deadline && !look().isGone) {
    kill(family, look, libc);
    await sleep(POLL_MS);
  }
}

async function hasGone(look: () => Look, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  let pauseMs = POLL_MS;
  while (performance.now() < deadline) {
    await sleep(pauseMs);
    const begun = performance.now();
    if (look().isGone) return true;
    pauseMs = Math.max(POLL_MS, LOOK_SHARE * (performance.now() - begun));
  }
  return false;
}

function kill(family: Family, look: () => Look, libc: Libc | undefined): void {
  const { group } = family;
  family.vacate();
  if (group === undefined || !killMembers(group)) killHeld(group, look, libc);
  // And what has left the group.
  for (const one of look().living) signalProcess(one, "SIGKILL", libc);
}

/** Without the kernel's own kill: nobody runs while the signals are sent. */
function killHeld(group: string | undefined, look: () => Look, libc: Libc | undefined): void {
  if (group === undefined) stopAll(look, libc);
  else freeze(group, true);
  for (const one of look().living) signalProcess(one, "SIGKILL", libc);
  if (group !== undefined) freeze(group, false);
}

function stopAll(look: () => Look, libc: Libc | undefined): void {
  const stopped = new Set<string>();
  for (let round = 0; round < MAX_STOP_ROUNDS; round++) {
    const fresh = look().living.filter((one) => !stopped.has(nameOf(one)));
    if (fresh.length === 0) return;
    for (const one of fresh) {
      signalProcess(one, "SIGSTOP", libc);
      stopped.add(nameOf(one));
    }
  }
}
