/**
 * Writes our own test vectors, test/vectors/refusals and test/vectors/statements, from fixed seeds: the same bytes in
 * every run. A vector that changes means that the protocol has changed.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { vectorFiles } from "../test/protocol/made/all-files.ts";

const FOLDER = join(import.meta.dirname, "../test/vectors");

for (const own of ["refusals", "statements"]) await rm(join(FOLDER, own), { recursive: true, force: true });
for (const [path, text] of vectorFiles()) {
  await mkdir(dirname(join(FOLDER, path)), { recursive: true });
  await writeFile(join(FOLDER, path), text);
  console.log(`test/vectors/${path} ${(text.length / 1024).toFixed(1)} KiB`);
}
