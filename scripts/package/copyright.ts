/** The licences of what a package contains, whole, as their authors ask for it: ours, each bundled package's, Node's. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locked } from "./lockfile.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Licences of what is in a package too, and notices that must stay with it. */
const TEXTS = "{LICENSE,LICENCE,license,COPYING,NOTICE,THIRD_PARTY}*";
const NOT_A_LICENCE = /^(NOTICE|THIRD_PARTY)/;

/** Throws where a bundled package comes without the text of its licence. */
export function copyrightText(bundled: readonly Locked[], nodesLicence: string): string {
  const ours = part("Keybound (Apache-2.0)", readFileSync(join(ROOT, "LICENSE"), "utf8"));
  const theirs = bundled.map(({ name, version, license, place }) =>
    part(`${name} ${version} (${license})`, licenceOf(place)),
  );
  return [ours, ...theirs, part("Node.js and what it contains", nodesLicence)].join("\n");
}

function licenceOf(place: string): string {
  const folder = join(ROOT, "node_modules", place);
  const files = globSync(TEXTS, { cwd: folder }).toSorted();
  if (files.every((file) => NOT_A_LICENCE.test(file))) throw new Error(`${place} has no licence file`);
  return files.map((file) => readFileSync(join(folder, file), "utf8").trim()).join("\n\n");
}

function part(title: string, text: string): string {
  const line = "=".repeat(80);
  return `${line}\n${title}\n${line}\n\n${text.trim()}\n`;
}
