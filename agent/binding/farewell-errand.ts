// Bringing last words to a former owner whom nobody could reach at the rebind: a short visit to its relays, beside the new
// owner's service, again now and then for a month. Nothing that is heard on a visit is acted on.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { endFarewell, type Farewell, readFarewell, sayFarewell } from "./farewell.ts";
import {
  FAREWELL_DELAY_MS,
  FAREWELL_KEPT_MS,
  FAREWELL_RETRY_CAP_MS,
  FAREWELL_RETRY_MS,
  FAREWELL_VISIT_MS,
} from "../limits.ts";
import { ConnectionLost, RelayConnection } from "../connection/relay-connection.ts";
import type { Network } from "../connection/network.ts";
import { lineTo } from "../connection/relay-line.ts";
import type { State } from "../state/state.ts";

export type FarewellOptions = {
  readonly state: State;
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly draw: () => number;
  readonly network: () => Network | Promise<Network>;
  readonly log: Logger;
};

/** Returns once it was heard, or is forgotten, or the signal aborts. Never throws: the new owner must not suffer from it. */
export async function runFarewellErrand(options: FarewellOptions, signal: AbortSignal): Promise<void> {
  try {
    await goUntilHeard(options, signal);
  } catch (error) {
    if (!signal.aborted)
      options.log.error({ reason: String(error) }, "the farewell to the former owner was given up for now");
  }
}

async function goUntilHeard(options: FarewellOptions, signal: AbortSignal): Promise<void> {
  const { state, now, draw } = options;
  for (let attempt = 0; ; attempt++) {
    const farewell = readFarewell(state);
    if (farewell === undefined) return;
    // A clock that was set far back would otherwise keep the key for as long.
    if (Math.abs(now() - farewell.leftAt) > FAREWELL_KEPT_MS) return endFarewell(state, farewell);
    await sleep(waitMs(attempt, draw()), undefined, { signal });
    for (const relay of farewell.relays) {
      if (await visit(relay, { ...options, farewell }, signal)) return endFarewell(state, farewell);
    }
  }
}

function waitMs(attempt: number, draw: number): number {
  const longest = attempt === 0 ? FAREWELL_DELAY_MS : FAREWELL_RETRY_MS * 4 ** Math.min(attempt - 1, 10);
  return Math.min(FAREWELL_RETRY_CAP_MS, longest) * (0.5 + draw / 2);
}

export type Visit = Pick<FarewellOptions, "network" | "now" | "log"> & { readonly farewell: Farewell };

/** Whether nothing is left to be said there. Ends soon after the signal aborts; throws where it had aborted before. */
export async function visit(
  relay: string,
  { farewell, network, now, log }: Visit,
  stopping: AbortSignal,
): Promise<boolean> {
  const opened = Promise.withResolvers<{ readonly enrolled?: boolean | undefined }>();
  const events = {
    onOpen: opened.resolve,
    // Jobs of the former owner among them.
    onFrame: () => undefined,
    onClose: ({ text }: { text: string }) => opened.reject(new ConnectionLost(text)),
  };
  const way = await network();
  stopping.throwIfAborted();
  const connection = new RelayConnection(relay, farewell, events, now, lineTo(relay, way));
  const ending = AbortSignal.any([stopping, AbortSignal.timeout(FAREWELL_VISIT_MS)]);
  const leave = () => connection.close("the visit is over");
  ending.addEventListener("abort", leave, { once: true });
  try {
    const { enrolled } = await opened.promise;
    // Nobody there ever heard of this identity, so nobody waits for it.
    return enrolled === false || (await sayFarewell(connection, farewell, log));
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
    log.info({ relay, reason: error.message }, "the former owner could not be told yet");
    return false;
  } finally {
    ending.removeEventListener("abort", leave);
    leave();
  }
}
