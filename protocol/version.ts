// A version of the programs: three whole numbers, compared as numbers (SPEC 8.10).
import * as v from "valibot";

/** `MAJOR.MINOR.PATCH`, each below 1,000, so that a version is one number as well. */
export const Version = v.pipe(v.string(), v.regex(/^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/));

/** What a job's `minAgent` and an agent's own version are compared by. `version` is a `Version`. */
export function versionNumber(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  return major * 1_000_000 + minor * 1_000 + patch;
}
