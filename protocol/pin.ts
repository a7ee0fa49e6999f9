// The tenant's pin: what `--trust` carries past the relay, and what a setup code begins with (SPEC 6.2).
import { fromBase64url } from "./bytes.ts";
import { fromCrockford, toCrockford } from "./crockford.ts";

/** 125 bits of the tenant's id: nobody finds a second log with the same. */
export const PIN_CHARS = 25;

export function pinOf(tenant: string): string {
  const id = fromBase64url(tenant);
  if (id === undefined) throw new Error("internal error: an unchecked tenant id");
  return toCrockford(id, PIN_CHARS);
}

/** The pin in its printed spelling, or `undefined` where the text is none. */
export function readPin(text: string): string | undefined {
  const bytes = fromCrockford(text, PIN_CHARS);
  return bytes === undefined ? undefined : toCrockford(bytes, PIN_CHARS);
}
