// The waiting time of a recovered key, and of what it approves alone (SPEC 4.3). A device counts the time; in the log, which
// no clock judges, a wait lasts until an admin who is in none has signed for the person's next key.
import type { Role } from "./key-event.ts";

export type Wait = {
  /** How long after hearing of the recovery at place `delayFrom` a device lets the key sign jobs; 0 where there is no wait. */
  readonly delayMs: number;
  readonly delayFrom: number;
};

type Person = Wait & { readonly role: Role };

/** Whether this is an admin who is in no waiting time. */
export function isFreeAdmin({ role, delayMs }: Person): boolean {
  return role === "admin" && delayMs === 0;
}

/** The wait of what these people approve at this place: none by a free admin's word, else that of the latest recovery. */
export function inheritedWait(approvers: readonly Person[], seq: number): Wait {
  const none: Wait = { delayMs: 0, delayFrom: seq };
  if (approvers.some(isFreeAdmin)) return none;
  return approvers.filter(({ role }) => role === "admin").reduce(laterWait, none);
}

export function laterWait(one: Wait, other: Wait): Wait {
  const isLater = one.delayMs === 0 || (other.delayMs > 0 && other.delayFrom > one.delayFrom);
  const { delayMs, delayFrom } = isLater ? other : one;
  return { delayMs, delayFrom };
}
