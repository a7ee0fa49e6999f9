// After an entry of the key log: the roster is tied to it, so that a key that ended writes nothing below it, and devices and
// colleagues hear of it (SPEC 5.3).
import type { KeyChange } from "./append-key.ts";
import { appendChanges } from "./append.ts";
import { sendCheckpoint, type Unlocked } from "./unlock.ts";

/** Follows up on an entry that was just appended; the session knows of it. Nothing follows the closing one. */
export async function followUp(unlocked: Unlocked, { type }: Pick<KeyChange, "type">): Promise<void> {
  if (type === "tenant.close") return;
  await appendChanges(unlocked.session, unlocked.keys, () => [{ type: "anchor" }]);
  await sendCheckpoint(unlocked);
}
