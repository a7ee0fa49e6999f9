/** The licences of what a package contains, whole, as their authors ask for it: ours, each bundled package's, Node's. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locked } from "./lockfile.ts";

const ROOT = join(import.meta.dirname, "../..");

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
  const [file] = globSync("{LICENSE,LICENCE,license,COPYING}*", { cwd: folder }).toSorted();
  if (file === undefined) throw new Error(`${place} has no licence file`);
  return readFileSync(join(folder, file), "utf8");
}

function part(title: string, text: string): string {
  const line = "=".repeat(80);
  return `${line}\n${title}\n${line}\n\n${text.trim()}\n`;
}
