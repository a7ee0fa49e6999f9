// A release folder for tests that install nothing: files with a release's names and SHA256SUMS over them.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installersOf, SYSTEMS } from "../../operator/deployment/systems.ts";

export function releaseIn(folder: string, version = "0.1.0"): string {
  mkdirSync(folder);
  for (const { name } of installersOf(version, SYSTEMS)) writeFileSync(join(folder, name), `the bytes of ${name}\n`);
  writeSums(folder);
  return folder;
}

/** SHA256SUMS over what the folder has. */
export function writeSums(folder: string): void {
  const names = readdirSync(folder).filter((name) => name !== "SHA256SUMS");
  writeFileSync(join(folder, "SHA256SUMS"), names.map((name) => `${sha256(join(folder, name))}  ${name}\n`).join(""));
}

export function sha256(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
