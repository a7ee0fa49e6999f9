// The journal: a hash-chained record of everything that this device accepted, refused, ran, and of every owner it had.
// It outlives owners. It proves order and completeness to whoever knows a later hash, such as the one in a receipt.
import { digest } from "../../protocol/digest.ts";
import { concat, fromBase64url, toBase64url, utf8 } from "../../protocol/bytes.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { AgentFault } from "../fault.ts";
import { MAX_JOURNAL_ENTRIES } from "../limits.ts";
import { numberOf, type Row, textOf } from "./row.ts";
import type { State } from "./state.ts";

export type JournalEntry =
  | {
      readonly type: "bound";
      readonly tenant: string;
      readonly name: string;
      readonly epoch: number;
      readonly device: string;
      readonly deployment: string;
    }
  | {
      readonly type: "unbound" | "left";
      readonly tenant: string;
      readonly name: string;
      readonly device: string;
      readonly keySeq: number;
      readonly receipts: number;
    }
  | { readonly type: "updated"; readonly deployment: string; readonly keySeq: number }
  | { readonly type: "followed"; readonly seq: number; readonly id: string; readonly event: string }
  | { readonly type: "fork"; readonly seq: number; readonly id: string }
  | { readonly type: "accepted"; readonly job: string; readonly statement: string; readonly signers: readonly string[] }
  | {
      readonly type: "finished";
      readonly job: string;
      readonly statement: string;
      readonly outcome: string;
      readonly receipt: number;
    }
  | {
      readonly type: "refused";
      readonly code: string;
      readonly detail: string;
      readonly job?: string;
      readonly statement?: string;
    }
  | { readonly type: "refusals-unwritten"; readonly count: number }
  | { readonly type: "class"; readonly class: string; readonly rosterSeq: number }
  | { readonly type: "clone"; readonly device: string }
  | { readonly type: "version-failed"; readonly version: string; readonly job: string }
  | { readonly type: "stopped" }
  | { readonly type: "started"; readonly agent: string };

export type JournalPlace = { readonly seq: number; readonly hash: string };
export type JournalLine = JournalPlace & { readonly time: number; readonly entry: string };

const FIRST_HASH = toBase64url(new Uint8Array(32));

/** Appends inside the caller's transaction. */
export function append(state: State, time: number, entry: JournalEntry): JournalPlace {
  const last = lastPlace(state);
  const text = new TextDecoder().decode(encodeStrict({ ...entry, time }));
  const place = { seq: last.seq + 1, hash: chain(last.hash, text) };
  state.run("INSERT INTO journal (seq, time, entry, hash) VALUES (?, ?, ?, ?)", place.seq, time, text, place.hash);
  state.run("DELETE FROM journal WHERE seq <= ?", place.seq - MAX_JOURNAL_ENTRIES);
  return place;
}

export function lastPlace(state: State): JournalPlace {
  const row = state.get("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1");
  return row === undefined ? { seq: 0, hash: FIRST_HASH } : { seq: numberOf(row, "seq"), hash: textOf(row, "hash") };
}

/** The newest `count` entries, oldest first. */
export function readJournal(state: State, count: number): readonly JournalLine[] {
  return state
    .all("SELECT seq, time, entry, hash FROM journal ORDER BY seq DESC LIMIT ?", count)
    .map(lineOf)
    .toReversed();
}

/** Walks the whole chain. Throws `journal-broken` at the first entry whose hash or count does not follow. */
export function verifyJournal(state: State): { readonly from: number; readonly to: JournalPlace } {
  const lines = state.all("SELECT seq, time, entry, hash FROM journal ORDER BY seq").map(lineOf);
  const [first] = lines;
  let before: JournalPlace | undefined =
    first === undefined || first.seq === 1 ? { seq: 0, hash: FIRST_HASH } : undefined;
  for (const line of lines) {
    const follows =
      before === undefined || (line.seq === before.seq + 1 && line.hash === chain(before.hash, line.entry));
    if (!follows) throw new AgentFault("journal-broken", `at entry ${line.seq}`);
    before = line;
  }
  return { from: first?.seq ?? 0, to: lastPlace(state) };
}

/** The newest refusal, for `status`. */
export function lastRefusal(state: State): JournalLine | undefined {
  const row = state.get(
    'SELECT seq, time, entry, hash FROM journal WHERE entry LIKE \'%"type":"refused"%\' ORDER BY seq DESC LIMIT 1',
  );
  return row === undefined ? undefined : lineOf(row);
}

function lineOf(row: Row): JournalLine {
  return {
    seq: numberOf(row, "seq"),
    time: numberOf(row, "time"),
    entry: textOf(row, "entry"),
    hash: textOf(row, "hash"),
  };
}

function chain(before: string, entry: string): string {
  const hash = fromBase64url(before);
  if (hash === undefined) throw new Error("internal error: a journal hash that is no digest");
  return digest(concat(hash, utf8(entry)));
}
