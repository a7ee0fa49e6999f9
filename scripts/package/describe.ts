/** Writes the list of contents of a package of the agent beside it. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { Locked } from "./lockfile.ts";
import { sbom } from "./sbom.ts";

/** The path of the list. */
export function describe(
  file: string,
  contains: readonly Locked[],
  of: { readonly version: string; readonly epochS: number },
): string {
  const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
  writeFileSync(`${file}.cdx.json`, sbom({ name: "keybound-agent", sha256, ...of }, contains));
  return `${file}.cdx.json`;
}
