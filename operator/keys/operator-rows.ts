// The people of an organisation as an admin looks for them: role, how their key stands, since when and by whom.
import type { NewKey, Role } from "../../protocol/key-event.ts";
import type { KeyLogState, KeyTerm, Operator } from "../../protocol/key-state.ts";
import { actorName, type HistoryEntry } from "./key-history.ts";

/** When a recovered key signs jobs again: a device counts from when it heard of entry `from`, so never before `until`. */
export type WaitRow = { readonly from: number; readonly delayMs: number; readonly until: number };

export type OperatorRow = {
  readonly operator: string;
  readonly name: string;
  readonly role: Role;
  /** `ended`: its last day is over; the log still takes its entries, devices take no jobs. */
  readonly key: "active" | "ended" | "revoked";
  /** The entry that made it so, or that revoked it. */
  readonly since: { readonly seq: number; readonly time: number };
  /** Who signed that entry. */
  readonly by: readonly string[];
  readonly notAfter?: number;
  readonly recovery?: boolean;
  readonly mode?: NewKey["mode"];
  readonly wait?: WaitRow;
};

type Place = { readonly state: KeyLogState; readonly history: readonly HistoryEntry[]; readonly now: number };

/** Those with a key in the log, in the order in which they came; then those whose last key was revoked. */
export function operatorRows(place: Place): readonly OperatorRow[] {
  const { operators, terms } = place.state;
  const known = new Set(operators.map(({ operator }) => operator));
  const last = new Map(terms.filter(({ operator }) => !known.has(operator)).map((term) => [term.operator, term]));
  return [
    ...operators.map((operator) => activeRow(operator, place)),
    ...[...last.values()].map((term) => revokedRow(term, place)),
  ];
}

function activeRow(one: Operator, place: Place): OperatorRow {
  const { operator, name, role, notAfter, recovery, mode, since } = one;
  const key = notAfter <= place.now ? "ended" : "active";
  const own = { operator, name, role, key, notAfter, recovery: recovery !== undefined, mode } as const;
  return { ...own, ...entryWords(since, place), ...waitOf(one, place) };
}

function revokedRow({ operator, name, role, to = 0 }: KeyTerm, place: Place): OperatorRow {
  return { operator, name, role, key: "revoked", ...entryWords(to, place) };
}

function entryWords(seq: number, { history }: Place): Pick<OperatorRow, "since" | "by"> {
  const entry = history[seq];
  return { since: { seq, time: entry?.time ?? 0 }, by: entry?.actors.map(actorName) ?? [] };
}

/** Nothing once the time is over wherever the entry was heard of at once. */
function waitOf({ delayMs, delayFrom }: Operator, { history, now }: Place): Pick<OperatorRow, "wait"> {
  const until = (history[delayFrom]?.time ?? 0) + delayMs;
  return delayMs === 0 || until <= now ? {} : { wait: { from: delayFrom, delayMs, until } };
}
