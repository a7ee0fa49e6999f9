// Writes docs/refusals.md from the tables of codes; a test holds that the committed page is what this makes.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { refusalsPage } from "./docs/refusals-page.ts";

const ROOT = join(import.meta.dirname, "..");

const page = refusalsPage({
  refusals: await readFile(join(ROOT, "protocol/refusal.ts"), "utf8"),
  operatorFaults: await readFile(join(ROOT, "operator/fault.ts"), "utf8"),
});
await writeFile(join(ROOT, "docs/refusals.md"), page);
console.log("docs/refusals.md");
