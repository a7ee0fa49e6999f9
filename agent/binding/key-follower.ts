// Following the owner's key log: fetches what is missing, judges each entry, keeps it before acting on it.
import { Refusal, type RefusalCode, refuse } from "../../protocol/refusal.ts";
import type { AdmitKey } from "../../protocol/key-admission.ts";
import type { KeyEvent } from "../../protocol/key-event.ts";
import { judgeEvent, noteFork } from "../../protocol/key-log.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { append } from "../state/journal.ts";
import { extendKeyLog, keyLogView } from "./owner.ts";
import type { RelayConnection } from "../connection/relay-connection.ts";
import type { OwnerState } from "./owner-state.ts";

/** Loads the point arithmetic on first need: most days bring no new key. */
export async function loadAdmission(): Promise<AdmitKey> {
  const { admitKey } = await import("../../protocol/key-admission.ts");
  return admitKey;
}

/** Refusals of an entry that stands beside our line, and may be evidence of a second one. */
const BESIDE_OUR_LINE: readonly RefusalCode[] = ["log-fork", "log-gap", "signer-revoked"];

/**
 * Takes entries that follow ours, in their order and in one transaction. One that stands beside our line is kept as evidence
 * where it is any (SPEC 4.6). Throws `log-gap` where entries before one are missing, or the refusal of one that is not good;
 * what was taken before it is kept.
 */
export function takeKeyEntries(
  owned: OwnerState,
  { entries, admit, now }: { entries: readonly Uint8Array[]; admit: AdmitKey; now: number },
): void {
  for (let next = 0; next < entries.length; ) {
    const { taken, refusal } = takeFollowing(owned, { entries: entries.slice(next), admit, now });
    next += taken;
    const bytes = entries[next++];
    if (refusal === undefined || bytes === undefined) return;
    if (!BESIDE_OUR_LINE.includes(refusal.code)) throw refusal;
    noteEvidence(owned, bytes, now);
    if (refusal.code === "log-gap") throw refusal;
  }
}

type Taken = { readonly taken: number; readonly refusal: Refusal | undefined };

/** As many entries as follow one another, on the disk before this returns, and why the next one does not. */
function takeFollowing(
  owned: OwnerState,
  { entries, admit, now }: { entries: readonly Uint8Array[]; admit: AdmitKey; now: number },
): Taken {
  const from = owned.keyState.head.seq + 1;
  const followed: Followed[] = [];
  let keyState = owned.keyState;
  let refusal: Refusal | undefined;
  for (const bytes of entries) {
    const judged = unlessRefused(() => judgeEvent(keyState, bytes, admit));
    if (judged instanceof Refusal) {
      refusal = judged;
      break;
    }
    keyState = judged.state;
    followed.push({ id: judged.id, bytes, event: judged.event.type });
  }
  if (followed.length > 0) keepFollowed(owned, { keyState, from, followed, now });
  return { taken: followed.length, refusal };
}

type Followed = { readonly id: string; readonly bytes: Uint8Array; readonly event: KeyEvent["type"] };

function keepFollowed(
  owned: OwnerState,
  {
    keyState,
    from,
    followed,
    now,
  }: { keyState: KeyLogState; from: number; followed: readonly Followed[]; now: number },
): void {
  owned.write("key events", (db) => {
    extendKeyLog(db, { keyState, from, entries: followed, heardAt: now });
    for (const [i, { id, event }] of followed.entries())
      append(db, now, { type: "followed", seq: from + i, id, event });
  });
  owned.keyState = keyState;
}

function unlessRefused<T>(judge: () => T): T | Refusal {
  try {
    return judge();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

function noteEvidence(owned: OwnerState, bytes: Uint8Array, now: number): void {
  const before = owned.keyState;
  const after = noteUnlessMalformed(owned, bytes);
  const fork = after.forks.at(-1);
  if (after === before || fork === undefined) return;
  owned.write("fork evidence", (db) => {
    extendKeyLog(db, { keyState: after, from: before.head.seq + 1, entries: [], heardAt: now });
    append(db, now, { type: "fork", seq: fork.seq, id: fork.id });
  });
  owned.keyState = after;
}

function noteUnlessMalformed(owned: OwnerState, bytes: Uint8Array): KeyLogState {
  try {
    return noteFork(owned.keyState, bytes, keyLogView(owned.state, owned.keyState).idAt);
  } catch (error) {
    // Bytes that are no entry of this log are no evidence against anybody.
    if (error instanceof Refusal) return owned.keyState;
    throw error;
  }
}

/** Asks the relay until our log reaches `seq` or the relay has no more. */
export async function fetchKeyLog(
  owned: OwnerState,
  { connection, seq, now }: { connection: RelayConnection; seq: number; now: () => number },
): Promise<void> {
  if (owned.keyState.head.seq >= seq) return;
  const admit = await loadAdmission();
  let more = true;
  while (more && owned.keyState.head.seq < seq) {
    const from = owned.keyState.head.seq + 1;
    const { header, parts } = await connection.request({ type: "read-log", log: "key", from });
    if (header.type !== "log") throw refuse("frame-form", `${header.type} as the answer to read-log`);
    takeKeyEntries(owned, { entries: parts, admit, now: now() });
    more = header.more && parts.length > 0;
  }
}
