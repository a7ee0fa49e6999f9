// Staying connected: dials the owner's relays in turn, waits with jitter between attempts, and says who is connected now.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { backoffMs } from "./backoff.ts";
import { BACKOFF_REFUSED_MS, SETTLED_MS } from "../limits.ts";
import { AgentFault } from "../fault.ts";
import { wayTo } from "../../protocol/proxy-choice.ts";
import type { Network } from "./network.ts";
import { type Identity, RelayConnection, type RelayEvents } from "./relay-connection.ts";
import { lineTo } from "./relay-line.ts";

export type LinkEvents = {
  readonly onOpen: (connection: RelayConnection, welcome: Parameters<RelayEvents["onOpen"]>[0]) => void;
  readonly onFrame: (connection: RelayConnection, frame: Parameters<RelayEvents["onFrame"]>[0]) => void;
  readonly onClose: () => void;
  /** How the connection stands, in plain words. */
  readonly onState: (words: string) => void;
};

export type LinkOptions = {
  readonly relays: readonly string[];
  readonly identity: Identity;
  readonly events: LinkEvents;
  /** Asked at each dial, so that a proxy that was set now serves the next one. May throw `network-form`. */
  readonly network: () => Network | Promise<Network>;
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly draw: () => number;
  readonly log: Logger;
};

/** Said by ourselves, where a relay let us in and then took no enrolment. */
export const ENROLMENT_REFUSED = "enrolment-refused";

/** The relay's words for "not you": trying again soon would only be noise. */
const TURNED_AWAY: readonly string[] = ["login-unknown", "tenant-unknown", ENROLMENT_REFUSED];

/** Keeps one connection until the signal aborts; returns once the last one is closed. */
export async function stayConnected(options: LinkOptions, signal: AbortSignal): Promise<void> {
  let failures = 0;
  for (let attempt = 0; !signal.aborted; attempt++) {
    const relay = options.relays[attempt % options.relays.length];
    if (relay === undefined) throw new Error("internal error: an owner without relays");
    const { openMs, code, reason } = await connectOnce(relay, options, signal);
    if (signal.aborted) return;
    failures = openMs >= SETTLED_MS ? 0 : failures + 1;
    const isTurnedAway = code !== undefined && TURNED_AWAY.includes(code);
    const waitMs = isTurnedAway ? BACKOFF_REFUSED_MS * (0.5 + options.draw() / 2) : backoffMs(failures, options.draw());
    options.events.onState(`not connected to ${relay}: ${reason}; tries again in ${Math.ceil(waitMs / 1000)} s`);
    options.log.info({ relay, waitMs: Math.round(waitMs) }, "reconnecting after a wait");
    await sleep(waitMs, undefined, { signal }).catch(ignoreAbort);
  }
}

async function connectOnce(
  relay: string,
  { identity, events, network, now, log }: LinkOptions,
  signal: AbortSignal,
): Promise<{ openMs: number; code: string | undefined; reason: string }> {
  const known = await whereKnown(network);
  if (known instanceof AgentFault) {
    log.error({ relay, reason: known.message }, "could not connect");
    return { openMs: 0, code: undefined, reason: known.message };
  }
  // What the agent stops with came while the system was asked: nobody would hear it any more.
  if (signal.aborted) return { openMs: 0, code: undefined, reason: "the agent stops" };
  const way = wayTo(relay, known.proxy).words;
  events.onState(`connecting to ${relay}`);
  const closed = Promise.withResolvers<{ text: string; code?: string }>();
  let openedAt: number | undefined;
  const connection = new RelayConnection(
    relay,
    identity,
    {
      onOpen: (welcome) => {
        openedAt = now();
        log.info({ relay }, "connected");
        events.onState(`connected to ${relay}`);
        events.onOpen(connection, welcome);
      },
      onFrame: (frame) => events.onFrame(connection, frame),
      onClose: closed.resolve,
    },
    now,
    lineTo(relay, known),
  );
  const stop = () => connection.close("the agent stops");
  signal.addEventListener("abort", stop, { once: true });
  const reason = await closed.promise;
  signal.removeEventListener("abort", stop);
  log.info(
    { relay, way, reason: reason.text, code: reason.code },
    openedAt === undefined ? "could not connect" : "disconnected",
  );
  if (openedAt !== undefined) events.onClose();
  if (openedAt === undefined) return { openMs: 0, code: reason.code, reason: `${reason.text}; dialled ${way}` };
  return { openMs: now() - openedAt, code: reason.code, reason: reason.text };
}

/** A setting that cannot be followed is answered by waiting until somebody puts it right. */
async function whereKnown(network: LinkOptions["network"]): Promise<Network | AgentFault> {
  try {
    return await network();
  } catch (error) {
    if (error instanceof AgentFault) return error;
    throw error;
  }
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === "AbortError")) throw error;
}
