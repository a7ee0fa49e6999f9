// Waiting jobs whose end has come before their turn: answered some in each transaction, so that thousands cost no thousand syncs.
import type { OwnerState } from "../binding/owner-state.ts";
import { MAX_EXPIRED_AT_ONCE } from "../limits.ts";
import type { State } from "../state/state.ts";
import { waitingJob, type WaitingJob } from "./ledger.ts";
import { endJob, type Say } from "./occurrences.ts";
import type { TurnQueue } from "./turn-queue.ts";

/** Ends those that have expired by now, and answers which. */
export function endExpired(
  queue: TurnQueue,
  { owned, now, sayIn }: { readonly owned: OwnerState; readonly now: number; readonly sayIn: (state: State) => Say },
): readonly string[] {
  const isAt = Math.max(now, owned.floor());
  const ended: string[] = [];
  for (;;) {
    const some = takeSome(queue, owned, isAt);
    if (some.length === 0) return ended;
    owned.write("end expired", (state) => {
      for (const { job, statement } of some)
        endJob(state, { job, statement, outcome: { type: "expired" }, contained: "yes" }, sayIn(state));
    });
    ended.push(...some.map(({ job }) => job));
  }
}

function takeSome(queue: TurnQueue, { state }: OwnerState, now: number): readonly WaitingJob[] {
  const some: WaitingJob[] = [];
  while (some.length < MAX_EXPIRED_AT_ONCE) {
    const turn = queue.takeExpired(now);
    if (turn === undefined) break;
    const waiting = waitingJob(state, turn.job);
    if (waiting !== undefined) some.push(waiting);
  }
  return some;
}
