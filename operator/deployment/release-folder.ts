// The folder of a release: its SHA256SUMS, its one version, and copies of its installers that have the hashes written there.
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fromBase64url } from "../../protocol/bytes.ts";
import { refuse } from "../../protocol/refusal.ts";
import type { ReleaseKeys } from "../../protocol/release.ts";
import { Fault, systemCode, writeFault } from "../fault.ts";
import { MAX_INSTALLER_BYTES, MAX_RELEASE_FILES, MAX_SUMS_BYTES } from "../limits.ts";
import { openRelease } from "../release/signed-release.ts";
import type { World } from "../world.ts";
import { type Installer, installersOf, type System, versionOf } from "./systems.ts";

const SUMS = "SHA256SUMS";
const PART_BYTES = 1024 * 1024;
/** Windows has no such flag; a link is told by its hash alone there. */
const NO_LINK = constants.O_NOFOLLOW ?? 0;

export type Release = {
  readonly folder: string;
  readonly version: string;
  readonly installers: readonly (Installer & { readonly sha256: string })[];
  readonly standing: ReleaseStanding;
};

/** Whether somebody signed for the release, and what is to be said of it. */
export type ReleaseStanding = { readonly signed: boolean; readonly says: string };

/** The folder that `--release` names, or `packages` beside the program's own file. */
export function releaseFolder({ itself }: World, given: string | undefined): string {
  if (given !== undefined) return resolve(given);
  // The last of the words that start the program anew is its own file, one file or a script.
  const program = itself?.at(-1);
  if (program === undefined || program === "") throw new Fault("release-missing", "nothing says where: --release DIR");
  try {
    return join(dirname(realpathSync(program)), "packages");
  } catch (error) {
    throw new Fault("release-missing", `packages beside ${program}`, { cause: error });
  }
}

/**
 * What the folder says it has for these systems; the installers themselves are read when they are copied. Throws
 * `release-missing`, `release-mixed` for two versions, what `standingOf` throws, `release-sums` where SHA256SUMS is missing, odd or lacks an installer.
 */
export function readRelease(folder: string, systems: readonly System[], keys: ReleaseKeys): Release {
  const names = namesIn(folder);
  const sums = readSums(folder);
  const found = [...new Set([...names, ...sums.keys()].flatMap((name) => versionOf(name) ?? []))];
  const [version, ...others] = found.toSorted();
  if (version === undefined) throw new Fault("release-missing", `${folder} has no installer`);
  if (others.length > 0) throw new Fault("release-mixed", `${folder} has ${[version, ...others].join(" and ")}`);
  const installers = installersOf(version, systems).map((installer) => {
    if (!names.includes(installer.name)) throw new Fault("release-missing", join(folder, installer.name));
    const sha256 = sums.get(installer.name);
    if (sha256 === undefined)
      throw new Fault("release-sums", `${join(folder, SUMS)} has no line for ${installer.name}`);
    return { ...installer, sha256 };
  });
  return { folder, version, installers, standing: standingOf({ folder, names, installers }, keys) };
}

type Found = { readonly folder: string; readonly names: readonly string[]; readonly installers: Release["installers"] };

/**
 * The one place where a release's own signature (`release.json`) is checked: the hashes of SHA256SUMS are the ones that were signed. A build without
 * a release key can only say that nobody checked. One that has keys takes nothing else: throws `release-signature`, or `release-*` for one that
 * does not verify.
 */
function standingOf({ folder, names, installers }: Found, keys: ReleaseKeys): ReleaseStanding {
  const isThere = names.includes("release.json");
  if (keys.size === 0)
    return unsigned(isThere ? "this build has no release key to check its release.json by" : "it has no release.json");
  if (!isThere) throw new Fault("release-signature", `${folder} has no release.json`);
  const { files } = openRelease(folder, keys).release;
  for (const { name, sha256 } of installers) {
    const signed = files.find((file) => file.name === name);
    if (signed === undefined || fromBase64url(signed.sha256)?.toHex() !== sha256)
      throw refuse("release-other", `${name} of SHA256SUMS`);
  }
  return { signed: true, says: "the release is signed by a key that this build trusts" };
}

function unsigned(why: string): ReleaseStanding {
  return { signed: false, says: `the release is not signed (${why}): SHA256SUMS tells damage, not a stranger's files` };
}

/**
 * Copies the bytes of an installer, and returns how many they are. Throws `release-changed` where what was copied has another hash,
 * `release-odd` for a link or anything but a plain file; the copy is then not to be used.
 */
export function copyInstaller(from: string, to: string, sha256: string): number {
  const [source, size] = openPlain(from);
  try {
    const hash = createHash("sha256");
    copyParts(source, { to, onPart: (part) => hash.update(part) });
    const found = hash.digest("hex");
    if (found !== sha256) throw new Fault("release-changed", `${from} is ${found}, SHA256SUMS says ${sha256}`);
    return size;
  } finally {
    closeSync(source);
  }
}

function copyParts(source: number, { to, onPart }: { to: string; onPart: (part: Uint8Array) => void }): void {
  const target = openSync(to, "wx", 0o600);
  try {
    const part = new Uint8Array(PART_BYTES);
    for (;;) {
      const read = readSync(source, part, 0, part.length, null);
      if (read === 0) break;
      onPart(part.subarray(0, read));
      for (let at = 0; at < read; ) at += writeSync(target, part, at, read - at);
    }
    fsyncSync(target);
  } catch (error) {
    throw writeFault(error, to);
  } finally {
    closeSync(target);
  }
}

function openPlain(path: string): readonly [fd: number, size: number] {
  const fd = openFile(path);
  const stat = fstatSync(fd);
  if (stat.isFile() && stat.size <= MAX_INSTALLER_BYTES) return [fd, stat.size];
  closeSync(fd);
  throw new Fault("release-odd", `${path}: a plain file of at most ${MAX_INSTALLER_BYTES} bytes is expected`);
}

function openFile(path: string): number {
  try {
    // Not to wait for the other end of a pipe that somebody put there.
    return openSync(path, constants.O_RDONLY | NO_LINK | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const code = systemCode(error);
    if (code === "ELOOP") throw new Fault("release-odd", `${path} is a link`, { cause: error });
    throw new Fault("release-missing", `${path} (${code})`, { cause: error });
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    const names = readdirSync(folder);
    if (names.length <= MAX_RELEASE_FILES) return names;
  } catch (error) {
    throw new Fault("release-missing", `${folder} (${systemCode(error)})`, { cause: error });
  }
  throw new Fault("release-odd", `${folder} has more than ${MAX_RELEASE_FILES} files`);
}

/** Hashes by name, as sha256sum writes them. */
function readSums(folder: string): ReadonlyMap<string, string> {
  const path = join(folder, SUMS);
  const sums = new Map<string, string>();
  for (const line of readText(path).split("\n").slice(0, -1)) {
    const [, sum, name] = /^([0-9a-f]{64}) [ *]([\w.+~-]+)$/.exec(line) ?? [];
    if (sum === undefined || name === undefined || sums.has(name)) throw new Fault("release-sums", `${path}: ${line}`);
    sums.set(name, sum);
  }
  return sums;
}

function readText(path: string): string {
  const fd = openSums(path);
  try {
    const bytes = new Uint8Array(MAX_SUMS_BYTES + 1);
    let size = 0;
    for (let read = -1; read !== 0; size += read) read = readSync(fd, bytes, size, bytes.length - size, null);
    if (size > MAX_SUMS_BYTES) throw new Fault("release-sums", `${path}, at most ${MAX_SUMS_BYTES} bytes`);
    return Buffer.from(bytes.subarray(0, size)).toString("utf8");
  } finally {
    closeSync(fd);
  }
}

function openSums(path: string): number {
  try {
    return openPlain(path)[0];
  } catch (error) {
    if (!(error instanceof Fault && error.code === "release-missing")) throw error;
    throw new Fault("release-sums", error.detail, { cause: error });
  }
}
