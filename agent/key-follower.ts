// Following the owner's key log: fetches what is missing, judges each entry, keeps it before acting on it.
import { Refusal } from "../protocol/refusal.ts";
import type { AdmitKey } from "../protocol/key-admission.ts";
import { judgeEvent, noteFork } from "../protocol/key-log.ts";
import type { KeyLogState } from "../protocol/key-state.ts";
import { append } from "./journal.ts";
import { extendKeyLog, keyLogView } from "./owner.ts";
import type { RelayConnection } from "./relay-connection.ts";
import type { OwnerState } from "./owner-state.ts";

/** Loads the point arithmetic on first need: most days bring no new key. */
export async function loadAdmission(): Promise<AdmitKey> {
  const { admitKey } = await import("../protocol/key-admission.ts");
  return admitKey;
}

/**
 * Takes entries from place `from` on, as far as they are good. Throws the refusal of the first that is not; those before
 * it are kept. An entry at a place that is taken already by another is kept as evidence.
 */
export function takeKeyEntries(
  owned: OwnerState,
  { from, entries, admit, now }: { from: number; entries: readonly Uint8Array[]; admit: AdmitKey; now: number },
): void {
  for (const [i, bytes] of entries.entries()) {
    if (from + i <= owned.keyState.head.seq) noteEvidence(owned, bytes, now);
    else takeNext(owned, { bytes, admit, now });
  }
}

function takeNext(owned: OwnerState, { bytes, admit, now }: { bytes: Uint8Array; admit: AdmitKey; now: number }): void {
  const { state, event, id } = judgeEvent(owned.keyState, bytes, admit);
  owned.write("key event", (db) => {
    extendKeyLog(db, { keyState: state, from: event.seq, entries: [{ id, bytes }], heardAt: now });
    append(db, now, { type: "followed", seq: event.seq, id, event: event.type });
  });
  owned.keyState = state;
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
  const admit = await loadAdmission();
  let more = true;
  while (more && owned.keyState.head.seq < seq) {
    const from = owned.keyState.head.seq + 1;
    const { header, parts } = await connection.request({ type: "read-log", log: "key", from });
    if (header.type !== "log") throw new Error(`a relay answered read-log with ${header.type}`);
    takeKeyEntries(owned, { from, entries: parts, admit, now: now() });
    more = header.more && parts.length > 0;
  }
}
