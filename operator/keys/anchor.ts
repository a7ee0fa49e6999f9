// After an entry of the key log: the roster is tied to it, so that a key that ended writes nothing below it, what new keys need is sealed to
// them, and devices and colleagues hear of it (SPEC 5.3).
import { shareTokens } from "../devices/admit.ts";
import { appendChanges } from "../devices/append-roster.ts";
import { sendCheckpoint, type Unlocked } from "../unlock/unlock.ts";

/** Follows up on an entry that was just appended; the session knows of it. Nothing follows the closing one. */
export async function followUp(unlocked: Unlocked): Promise<void> {
  const { session, keys } = unlocked;
  if (session.state.closed) return;
  await appendChanges(session, keys, () => [{ type: "anchor" }]);
  await shareTokens(session, keys);
  await sendCheckpoint(unlocked);
}
