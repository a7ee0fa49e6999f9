// Whose pin this is: tenants are found by what people type.
import { toBase64url } from "../protocol/bytes.ts";
import { fromCrockford } from "../protocol/crockford.ts";
import { PIN_CHARS, pinOf, readPin } from "../protocol/pin.ts";
import { Obstacle } from "./obstacle.ts";
import type { LogStore } from "./store-logs.ts";

/** A pin is 125 bits of a tenant's id; so many of the id's characters are whole in it. */
const WHOLE_ID_CHARS = 20;

/** The id of the tenant with this pin, in any spelling; `undefined` where there is none, or the text is no pin. */
export function tenantWithPin(logs: LogStore, text: string): string | undefined {
  const pin = readPin(text);
  const bytes = fromCrockford(text, PIN_CHARS);
  if (pin === undefined || bytes === undefined) return undefined;
  const beginning = toBase64url(bytes).slice(0, WHOLE_ID_CHARS);
  return logs.tenantsBeginning(beginning).find((id) => pinOf(id) === pin);
}

/** The id of the tenant that a reset code is asked for. Throws an obstacle where there is none, or another took its place. */
export function tenantToReset(logs: LogStore, text: string): string {
  if (readPin(text) === undefined) {
    const hint = "a pin has 25 characters; the operator's client prints it, and it stands beside each package";
    throw new Obstacle(`${text} is no pin`, { hint, kind: "misused" });
  }
  const id = tenantWithPin(logs, text);
  const retiredBy = id && logs.tenant(id)?.retiredBy;
  if (id !== undefined && retiredBy === undefined) return id;
  if (retiredBy === undefined) {
    throw new Obstacle(`no tenant here has the pin ${text}`, {
      hint: "look for it in another folder with --state DIR",
    });
  }
  throw new Obstacle(`the tenant was reset before, and ${pinOf(retiredBy)} took its place`, {
    hint: "reset that one, or its successor, if it is to be reset again",
  });
}
