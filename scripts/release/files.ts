/** The files of a release folder: held against its SHA256SUMS, and what each is for by its name. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Platform } from "../../protocol/platform.ts";
import type { ReleaseFile } from "../../protocol/release.ts";

export const SUMS = "SHA256SUMS";
/** What stands beside the sums, and in none: signatures of them, and the release. */
const BESIDE = new Set([SUMS, `${SUMS}.asc`, `${SUMS}.minisig`, "release.json"]);

type Kind = Pick<ReleaseFile, "use" | "platform">;

/** In the order of SHA256SUMS; lists of contents (.cdx.json) are held against it and left out. Throws where anything is missing, more, or of another hash. */
export function releaseFiles(folder: string, version: string): readonly ReleaseFile[] {
  const listed = readSums(join(folder, SUMS));
  const present = readdirSync(folder).filter((name) => !BESIDE.has(name));
  const unlisted = present.filter((name) => !listed.has(name));
  if (unlisted.length > 0) throw new Error(`${SUMS} does not list ${unlisted.join(", ")}`);
  const files = [...listed].map(([name, sum]) => {
    const content = readFileSync(join(folder, name));
    const hash = createHash("sha256").update(content).digest();
    if (hash.toString("hex") !== sum) throw new Error(`${name} is not of the hash that ${SUMS} has`);
    return { name, bytes: content.length, sha256: hash.toString("base64url") };
  });
  return files.flatMap((file) => {
    if (file.name.endsWith(".cdx.json")) return [];
    const { use, platform } = kindOf(file.name, version);
    return [
      { name: file.name, use, sha256: file.sha256, bytes: file.bytes, ...(platform === undefined ? {} : { platform }) },
    ];
  });
}

function readSums(path: string): ReadonlyMap<string, string> {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return new Map(
    lines.map((line) => {
      const [, sum, name] = /^([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._-]*)$/.exec(line) ?? [];
      if (sum === undefined || name === undefined)
        throw new Error(`${SUMS} has a line that is none: ${line.slice(0, 120)}`);
      return [name, sum];
    }),
  );
}

const PACKAGES: Readonly<Record<string, Platform>> = {
  "_amd64.deb": "linux-x64",
  "_arm64.deb": "linux-arm64",
  "-1.x86_64.rpm": "linux-x64",
  "-1.aarch64.rpm": "linux-arm64",
  "-x64.msi": "windows-x64",
  "-macos-x64.pkg": "macos-x64",
  "-macos-arm64.pkg": "macos-arm64",
};

/** Throws for a name that no maker of ours gives, or one of another version: what nobody knows is not signed. */
function kindOf(name: string, version: string): Kind {
  const agent = [`keybound-agent-${version}`, `keybound-agent_${version}`].find((start) => name.startsWith(start));
  const rest = agent === undefined ? "" : name.slice(agent.length);
  const installer = PACKAGES[rest];
  if (installer !== undefined) return { use: "installer", platform: installer };
  for (const platform of Platform.options) {
    if (rest === `-${platform}.update`) return { use: "update", platform };
    const program = platform === "windows-x64" ? `${platform}.exe` : platform;
    if ([`keybound-${version}-${program}`, `keybound-relay-${version}-${program}`].includes(name))
      return { use: "program", platform };
  }
  throw new Error(`${name} is none of the files of a release of ${version}`);
}
