// Whose pin this is: tenants are found by what people type.
import { toBase64url } from "../protocol/bytes.ts";
import { fromCrockford } from "../protocol/crockford.ts";
import { PIN_CHARS, pinOf, readPin } from "../protocol/pin.ts";
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
