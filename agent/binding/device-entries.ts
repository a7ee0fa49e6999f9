// Roster entries about this device: what its owner calls it and which class it is of, kept with the owner (SPEC 5.4).
import { followDeviceEntry } from "../../protocol/device-entry.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { append } from "../state/journal.ts";
import { keyLogView } from "./owner.ts";
import type { OwnerState } from "./owner-state.ts";

export type DeviceEntries = {
  readonly entries: readonly Uint8Array[];
  readonly now: number;
  readonly onRefused: (refusal: Refusal) => void;
};

/** Takes each entry by itself: one that is refused keeps none after it from being heard. */
export function takeDeviceEntries(owned: OwnerState, { entries, now, onRefused }: DeviceEntries): void {
  for (const bytes of entries) {
    try {
      takeEntry(owned, bytes, now);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      onRefused(error);
    }
  }
}

function takeEntry(owned: OwnerState, bytes: Uint8Array, now: number): void {
  const { rosterKeySeq: keySeq, rosterSeq: seq, name, class: deviceClass } = owned;
  const before = { keySeq, seq, name, class: deviceClass };
  const keyLog = keyLogView(owned.state, owned.keyState);
  const after = followDeviceEntry(before, bytes, { keyLog, device: owned.owner.device });
  if (after === before) return;
  owned.write("device entry", (state) => {
    const update = "UPDATE owner SET roster_key_seq = ?, roster_seq = ?, name = ?, class = ?";
    state.run(update, after.keySeq, after.seq, after.name ?? null, after.class);
    if (after.class !== before.class) append(state, now, { type: "class", class: after.class, rosterSeq: after.seq });
  });
  owned.rosterKeySeq = after.keySeq;
  owned.rosterSeq = after.seq;
  owned.name = after.name;
  owned.class = after.class;
}
