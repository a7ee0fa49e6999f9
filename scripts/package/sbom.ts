/** What a package contains, as CycloneDX 1.6: names, versions, licences and archive hashes as package-lock.json has them. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { Locked } from "./lockfile.ts";

export type Described = {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly epochS: number;
};

/** Writes the list of what this file contains beside it, and returns its path. */
export function writeSbom(file: string, of: Omit<Described, "sha256">, contains: readonly Locked[]): string {
  const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
  writeFileSync(`${file}.cdx.json`, sbom({ ...of, sha256 }, contains));
  return `${file}.cdx.json`;
}

export function sbom({ name, version, sha256, epochS }: Described, contains: readonly Locked[]): string {
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(epochS * 1000).toISOString(),
      component: {
        type: "application",
        name,
        version,
        licenses: [{ license: { id: "Apache-2.0" } }],
        hashes: [{ alg: "SHA-256", content: sha256 }],
      },
    },
    components: contains.map(component),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** The packages that are Node itself; a scanner knows its vulnerabilities by another name than npm's. */
const IS_NODE = /^node-(bin-)?(linux|darwin|win)-/;

function component({ name, version, integrity, license }: Locked) {
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version,
    purl,
    ...(IS_NODE.test(name) && { cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*` }),
    licenses: [{ expression: license }],
    hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex") }],
  };
}
