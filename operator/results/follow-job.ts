// How far a job has come on one device: a pure step for each push, which says what is to be done next.
//
//   queued -> sent -> taken -> receipt          settled by the device's signature
//                          \-> refused          taken without an answer: the device's unsigned word
//          \-> expired                          the relay's word
//
// Live output goes forward only: what comes a second time or too late is passed over; what was left out shows by the places of
// what comes after it.
import type { DeliveryState } from "../../protocol/wire-fields.ts";
import { isKind, type Message } from "../connection/relay-client.ts";

export type Followed = {
  readonly delivery: DeliveryState;
  /** Why the device took the job without an answer, by its own word, which nobody signed. */
  readonly note?: string;
  readonly settled: "no" | "receipt" | "refused" | "expired";
  readonly live: "none" | "open" | "broken";
  /** Least place in the live stream that may come next. */
  readonly nextIndex: number;
};

export type Effect =
  /** The wraps that open the live stream. */
  | { readonly type: "live-opened"; readonly wraps: Uint8Array }
  | { readonly type: "live"; readonly index: number; readonly sealed: Uint8Array }
  | { readonly type: "receipt"; readonly envelope: Uint8Array };

export type Step = { readonly after: Followed; readonly effect?: Effect };

export const AT_START: Followed = { delivery: "queued", settled: "no", live: "none", nextIndex: 0 };

/** The state of a device's job after a push about it. Pushes of other kinds change nothing. */
export function step(before: Followed, message: Message): Step {
  if (isKind(message, "progress")) return { after: progressed(before, message.header) };
  const [part] = message.parts;
  if (part === undefined) return { after: before };
  if (isKind(message, "live-news")) return live(before, message.header.index, part);
  if (!isKind(message, "receipt-news") || before.settled === "receipt") return { after: before };
  return {
    after: { ...before, delivery: "answered", settled: "receipt" },
    effect: { type: "receipt", envelope: part },
  };
}

function live(before: Followed, index: number, part: Uint8Array): Step {
  if (before.live === "broken" || before.settled === "receipt") return { after: before };
  // A stream begins with its wraps, which come again with a new connection; a late watcher gets them, and then chunks from later on.
  if (index === 0 && before.live === "none") {
    return { after: { ...before, live: "open", nextIndex: 1 }, effect: { type: "live-opened", wraps: part } };
  }
  if (before.live === "none" || index < before.nextIndex) return { after: before };
  return { after: { ...before, nextIndex: index + 1 }, effect: { type: "live", index, sealed: part } };
}

function progressed(before: Followed, { state, note }: { state: DeliveryState; note?: string | undefined }): Followed {
  if (before.settled === "receipt") return before;
  return { ...before, delivery: state, ...(note === undefined ? {} : { note }), settled: settledBy(state, note) };
}

function settledBy(state: DeliveryState, note: string | undefined): Followed["settled"] {
  if (state === "expired") return "expired";
  return state === "taken" && note !== undefined ? "refused" : "no";
}
