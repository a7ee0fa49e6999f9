// A package that a device refused, in words; its name and code are what the device signed.
import type { RefusedPackage } from "../../protocol/binding-report.ts";
import { isRefusalCode, REFUSALS } from "../../protocol/refusal.ts";
import { plain } from "./escape.ts";
import { ago } from "./time.ts";

/** `refused a package of Acme, epoch 2, 3 h ago: tenant-retired: this device has left …`. */
export function refusedWords({ name, epoch, code, time }: RefusedPackage, now: number): string {
  return `refused a package of ${plain(name)}, epoch ${epoch}, ${ago(time, now)}: ${codeWords(code)}`;
}

/** A code with its sentence; one that is not known here stands alone. */
export function codeWords(code: string): string {
  return isRefusalCode(code) ? `${code}: ${REFUSALS[code].says}` : code;
}

/** What to do about it, where that is known. */
export function codeHint(code: string): string | undefined {
  return isRefusalCode(code) ? REFUSALS[code].hint : undefined;
}
