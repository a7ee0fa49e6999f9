// Writes what of docs/ is made from the code: refusals.md, and the lines in deploy.md. A test holds that both are as committed.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withLines } from "./docs/deploy-page.ts";
import { refusalsPage } from "./docs/refusals-page.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string) => readFile(join(ROOT, path), "utf8");

const page = refusalsPage({
  refusals: await read("protocol/refusal.ts"),
  operatorFaults: await read("operator/fault.ts"),
});
await writeFile(join(ROOT, "docs/refusals.md"), page);
await writeFile(join(ROOT, "docs/deploy.md"), withLines(await read("docs/deploy.md")));
console.log("docs/refusals.md\ndocs/deploy.md");
