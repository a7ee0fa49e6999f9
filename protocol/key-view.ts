// What a reader of other statements needs of the key log: its state, and the id at each place.
import type { LogPlace } from "./fields.ts";
import type { KeyLogState } from "./key-state.ts";

export type KeyLogView = {
  readonly state: KeyLogState;
  /** The id of the entry at this place; `undefined` beyond the head. */
  readonly idAt: (seq: number) => string | undefined;
};

/** Where another person's knowledge of the log stands towards ours: a later place, the same line, or another line. */
export function placeIn(view: KeyLogView, place: LogPlace): "ahead" | "known" | "forked" {
  if (place.seq > view.state.head.seq) return "ahead";
  return view.idAt(place.seq) === place.id ? "known" : "forked";
}
