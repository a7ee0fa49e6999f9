// Bringing the key log and the roster up to date from a relay that is not believed: every entry is judged, and a log that
// was set back, or differs at a place that this client has verified, is refused.
import { readEnvelopeOf, statementId } from "../../protocol/envelope.ts";
import type { LogPlace } from "../../protocol/fields.ts";
import type { Judged } from "../../protocol/key-log.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import { judgeRosterEvent, type Roster } from "../../protocol/roster.ts";
import type { LogName } from "../../protocol/wire-fields.ts";
import type { Desk } from "../desk.ts";
import { Fault } from "../fault.ts";
import type { Cache, KeyEntry } from "../home/cache.ts";
import { MAX_SYNC_PAGES } from "../limits.ts";
import type { RelayClient } from "./relay-client.ts";

/** Where a judged key log is kept, and whose it has to be. */
export type LogDesk = { readonly cache: Cache; readonly tenant: string };

export type Synced = { readonly state: KeyLogState; readonly roster: Roster };
/** Heads that the relay claims; equal to ours, they save the asking. */
type Claims = { readonly keyHead?: LogPlace; readonly rosterHead?: LogPlace };

/** Judges what is new in both logs and keeps it. A roster entry may name key events that came meanwhile: then once more. */
export async function syncLogs(desk: Desk, client: RelayClient, claims: Claims | undefined): Promise<Synced> {
  const log: LogDesk = { cache: desk.cache, tenant: desk.home.config.tenant };
  const state = await syncKeyLog(log, client, claims?.keyHead);
  try {
    return { state, roster: await syncRoster(desk, client, { state, claim: claims?.rosterHead }) };
  } catch (error) {
    if (!(error instanceof Refusal && error.code === "log-gap")) throw error;
    const later = await syncKeyLog(log, client, undefined);
    return { state: later, roster: await syncRoster(desk, client, { state: later, claim: undefined }) };
  }
}

/** Judges what is new in the key log and keeps it. Nothing is asked where the relay claims the head that is known. */
export async function syncKeyLog(
  desk: LogDesk,
  client: RelayClient,
  claim: LogPlace | undefined,
): Promise<KeyLogState> {
  const pinned = desk.cache.keyState();
  if (pinned !== undefined && isSame(pinned.head, claim)) return pinned;
  const entries = await readLog(client, "key", pinned?.head.seq ?? 0);
  if (pinned === undefined) return judgeFromStart(desk, entries);
  const news = await afterPinned(entries, {
    log: "key",
    pinned: pinned.head,
    onFork: (bytes) => noteFork(desk, pinned, bytes),
  });
  if (news.length === 0) return pinned;
  const { judgeEvent } = await import("../../protocol/key-log.ts");
  const { admitKey } = await import("../../protocol/key-admission.ts");
  let state = pinned;
  const judged: KeyEntry[] = [];
  for (const bytes of news) {
    const after = judgeEvent(state, bytes, admitKey);
    judged.push(entryOf(after, bytes));
    state = after.state;
  }
  desk.cache.addKeyEntries(judged, state);
  return state;
}

async function judgeFromStart(desk: LogDesk, entries: readonly Uint8Array[]): Promise<KeyLogState> {
  const { judgeEvent, judgeGenesis } = await import("../../protocol/key-log.ts");
  const { admitKey } = await import("../../protocol/key-admission.ts");
  const [first, ...later] = entries;
  if (first === undefined) throw new Fault("relay-behind", "it has no key log of this organisation");
  const genesis = judgeGenesis(first, admitKey);
  if (genesis.id !== desk.tenant) throw refuse("tenant-other", `tenant ${genesis.id}`);
  const judged = [{ judged: genesis, bytes: first }];
  for (const bytes of later)
    judged.push({ judged: judgeEvent((judged.at(-1)?.judged ?? genesis).state, bytes, admitKey), bytes });
  const { state } = judged.at(-1)?.judged ?? genesis;
  desk.cache.addKeyEntries(
    judged.map((one) => entryOf(one.judged, one.bytes)),
    state,
  );
  return state;
}

function entryOf({ state, id }: Judged, bytes: Uint8Array): KeyEntry {
  return { seq: state.head.seq, id, bytes };
}

/** Keeps a second entry at a place as evidence, if somebody of this log signed it. */
async function noteFork(desk: LogDesk, state: KeyLogState, bytes: Uint8Array): Promise<void> {
  const { noteFork: noted } = await import("../../protocol/key-log.ts");
  const after = noted(state, bytes, desk.cache.keyView(state).idAt);
  if (after !== state) desk.cache.keepKeyState(after);
}

async function syncRoster(
  desk: Desk,
  client: RelayClient,
  { state, claim }: { state: KeyLogState; claim: LogPlace | undefined },
): Promise<Roster> {
  const roster = desk.cache.roster(state.tenant);
  const pinned = roster.head;
  if (pinned !== undefined && isSame(pinned, claim)) return roster;
  const entries = await readLog(client, "roster", pinned?.seq ?? 0);
  const news =
    pinned === undefined
      ? entries
      : await afterPinned(entries, { log: "roster", pinned, onFork: async () => undefined });
  if (news.length === 0) return roster;
  const view = desk.cache.keyView(state);
  for (const bytes of news) judgeRosterEvent(roster, bytes, view);
  desk.cache.keepRoster(roster);
  return roster;
}

/** Entries after the pinned one, which the relay has to show first and unchanged. */
async function afterPinned(
  entries: readonly Uint8Array[],
  { log, pinned, onFork }: { log: LogName; pinned: LogPlace; onFork: (bytes: Uint8Array) => Promise<void> },
): Promise<readonly Uint8Array[]> {
  const [shown, ...news] = entries;
  if (shown === undefined) {
    throw new Fault("relay-behind", `its ${logWords(log)} ends before entry ${pinned.seq}, which is known here`);
  }
  const id = statementId(readEnvelopeOf(log === "key" ? "key-event" : "roster-event", shown));
  if (id === pinned.id) return news;
  await onFork(shown);
  throw refuse("log-fork", `entry ${pinned.seq} of the ${logWords(log)} is ${id}, here it is ${pinned.id}`);
}

async function readLog(client: RelayClient, log: LogName, from: number): Promise<readonly Uint8Array[]> {
  const entries: Uint8Array[] = [];
  for (let page = 0; page < MAX_SYNC_PAGES; page++) {
    const { header, parts } = await client.ask("log", { type: "read-log", log, from: from + entries.length });
    entries.push(...parts);
    if (!header.more || parts.length === 0) return entries;
  }
  throw new Fault("relay-odd", `more than ${MAX_SYNC_PAGES} pages of the ${logWords(log)}`);
}

function logWords(log: LogName): string {
  return log === "key" ? "key log" : "roster";
}

function isSame(a: LogPlace | undefined, b: LogPlace | undefined): boolean {
  return a?.seq === b?.seq && a?.id === b?.id;
}
