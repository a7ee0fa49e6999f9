// The versions of the agent on this disk: which is packaged, which proved itself, which is being tried, which failed. The starter
// (packaging/unix/start, packaging/windows/service/versions.c) reads and counts; this file lays down, proves and tidies. Each step leaves
// a disk from which the starter picks a version that works; what is not as it should be is said, and the packaged version runs.
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { AgentFault } from "../fault.ts";
import { MAX_VERSION_TEXT_BYTES, REMOVE_RETRIES } from "../limits.ts";
import { moveFolder, replaceFile, syncFolder, syncTree } from "../state/replace-file.ts";
import { isNewer, isRelease, RELEASE } from "../version.ts";
import { whyNoStart } from "./starter.ts";

export type Versions = {
  /** The folder of the installed agent, PROGRAM. */
  readonly program: string;
  /** Its `versions`, where those are that came by an update. */
  readonly folder: string;
  /** Whether this process is one of those. */
  readonly isUpdated: boolean;
  /** This process's own, `MAJOR.MINOR.PATCH`. */
  readonly running: string;
  readonly platform: NodeJS.Platform;
  /** Called after each change on the disk; lets tests end at any of them. */
  readonly observe: (point: string) => void;
};

export type Tried = { readonly version: string; readonly tries: number };

export type VersionsSeen = {
  readonly packaged: string | undefined;
  /** The newest that proved itself. */
  readonly current: string | undefined;
  /** The one before it, as long as that can have a state that it reads; where there is none, a `current` that fails is tried on. */
  readonly back: string | undefined;
  readonly trial: Tried | undefined;
  readonly failed: Tried | undefined;
  /** What is there and cannot be used, in words. */
  readonly odd: readonly string[];
};

/** What became of the update that a job asked for. `unknown`: it never came to a trial, or another update came after it. */
export type TrialOutcome =
  | { readonly type: "proved" | "on-trial" | "unknown" }
  | { readonly type: "failed"; readonly version: string; readonly tries: number };

/** `script` is this process's program: PROGRAM/keybound-agent.cjs, or the same in PROGRAM/versions/V. */
export function versionsOf(
  script: string,
  { platform, running = RELEASE }: { readonly platform: NodeJS.Platform; readonly running?: string },
): Versions {
  const own = dirname(resolve(script));
  const isUpdated = basename(dirname(own)) === "versions" && isRelease(basename(own));
  const program = isUpdated ? dirname(dirname(own)) : own;
  return { program, folder: join(program, "versions"), isUpdated, running, platform, observe: () => undefined };
}

/** Whether this agent can replace itself, or why not: it needs a starter that falls back, and a folder that takes files. */
export function canUpdate(versions: Versions): { readonly can: true } | { readonly can: false; readonly why: string } {
  const why = whyNoStart(versions.program, versions.platform) ?? strangersIn(versions)[0];
  return why === undefined ? { can: true } : { can: false, why };
}

/** An empty folder to unpack a version into; what lay there is gone. `beginTrial` gives it its place. */
export function makeIncoming(versions: Versions, version: string): string {
  if (!isRelease(version)) throw new Error("internal error: a version that is no release");
  mkdirSync(versions.folder, { recursive: true, mode: 0o755 });
  const incoming = join(versions.folder, `${version}.new`);
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { mode: 0o755 });
  return incoming;
}

/**
 * Puts what was unpacked on trial, for this job: it is started, and proves itself or is given up, when this process has ended.
 * All of it is on the disk before this returns. Throws where the version is not newer than the one that runs.
 */
export function beginTrial(
  versions: Versions,
  { version, job }: { readonly version: string; readonly job: string },
): void {
  const { folder, running, platform, observe } = versions;
  if (!isRelease(version) || !isNewer(version, running)) throw new Error(`internal error: ${version} after ${running}`);
  const place = join(folder, version);
  const incoming = join(folder, `${version}.new`);
  syncTree(incoming, platform);
  observe("synced");
  rmSync(place, { recursive: true, force: true, maxRetries: REMOVE_RETRIES });
  observe("old removed");
  moveFolder(incoming, place, { platform });
  observe("placed");
  put(versions, "asked", `${version} ${job}`);
  remove(versions, "failed");
  put(versions, "trial", `${version} 0`);
}

/** Takes back what was begun of that, when it is answered as not done: nothing of this version is tried any more. */
export function withdrawTrial(versions: Versions, version: string): void {
  if (seeVersions(versions).trial?.version === version) remove(versions, "trial");
  cleanUp(versions);
}

/** Whether this process is the version on trial. */
export function isOnTrial(versions: Versions): boolean {
  return versions.isUpdated && seeVersions(versions).trial?.version === versions.running;
}

/** The version on trial has proved itself: from here on it is the one that is started. A crash leaves it on trial or proved. */
export function prove(versions: Versions): void {
  const { current, packaged } = seeVersions(versions);
  const before = current ?? packaged;
  remove(versions, "starts");
  remove(versions, "failed");
  if (before !== undefined) put(versions, "back", before);
  put(versions, "current", versions.running);
  remove(versions, "trial");
}

/** The version before can read the state no more. */
export function dropBack(versions: Versions): void {
  remove(versions, "back");
}

/** A version that serves is no version that fails to start: the starter counts anew. */
export function forgetStarts({ isUpdated, folder }: Versions): void {
  if (isUpdated) rmSync(join(folder, "starts"), { force: true });
}

/** What became of the trial of this job. */
export function trialOf(versions: Versions, job: string): TrialOutcome {
  const [version, asked] = words(versions, "asked") ?? [];
  if (version === undefined || asked !== job) return { type: "unknown" };
  const { current, trial, failed } = seeVersions(versions);
  if (current === version) return { type: "proved" };
  if (trial?.version === version) return { type: "on-trial" };
  return failed?.version === version ? { type: "failed", ...failed } : { type: "unknown" };
}

/** The job that asked for the newest trial, and its version. */
export function askedTrial(versions: Versions): { readonly version: string; readonly job: string } | undefined {
  const [version, job] = words(versions, "asked") ?? [];
  return version === undefined || job === undefined ? undefined : { version, job };
}

/** Removes versions that nothing leads to any more. Keeps the one that runs, the one before it, and one that is being tried. */
export function cleanUp(versions: Versions): void {
  const { folder, running } = versions;
  if (strangersIn(versions).length > 0) return;
  dropOvertaken(versions);
  const { current, back, trial } = seeVersions(versions);
  const kept = new Set([running, current, back, trial?.version]);
  for (const name of namesIn(folder))
    if (isRelease(name.replace(/\.new$/, "")) && !kept.has(name))
      rmSync(join(folder, name), { recursive: true, force: true });
}

/** Where the package is newer, nothing leads to what came before it. */
function dropOvertaken(versions: Versions): void {
  const { packaged, current } = seeVersions(versions);
  if (packaged === undefined || current === undefined || isNewer(current, packaged)) return;
  for (const name of ["current", "back", "starts"]) remove(versions, name);
}

/**
 * Throws `update-on-trial` where an update is being tried: until it is decided, nothing but it may change the state. One that the package
 * has overtaken will not be tried.
 */
export function refuseOnTrial(versions: Versions): void {
  const { packaged, trial } = seeVersions(versions);
  if (trial !== undefined && (packaged === undefined || isNewer(trial.version, packaged)))
    throw new AgentFault("update-on-trial", `version ${trial.version}`);
}

/** What the folder of versions says. Nothing of it where others than the owner of PROGRAM may write there. */
export function seeVersions(versions: Versions): VersionsSeen {
  const strange = strangersIn(versions);
  const packaged = firstRelease(readWords(join(versions.program, "version")));
  if (strange.length > 0)
    return { packaged, current: undefined, back: undefined, trial: undefined, failed: undefined, odd: strange };
  const names = ["current", "back", "trial", "failed"] as const;
  const [current, back, trial, failed] = names.map((name) => words(versions, name));
  const odd = names.filter((_, at) => {
    const found = [current, back, trial, failed][at];
    return found !== undefined && firstRelease(found) === undefined;
  });
  return {
    packaged,
    current: firstRelease(current),
    back: firstRelease(back),
    trial: triedIn(trial),
    failed: triedIn(failed),
    odd: odd.map((name) => `${join(versions.folder, name)} holds no version`),
  };
}

function firstRelease(found: readonly string[] | undefined): string | undefined {
  const [first = ""] = found ?? [];
  return isRelease(first) ? first : undefined;
}

function triedIn(found: readonly string[] | undefined): Tried | undefined {
  const version = firstRelease(found);
  const tries = Number(found?.[1]);
  return version === undefined ? undefined : { version, tries: Number.isSafeInteger(tries) ? tries : 0 };
}

const words = ({ folder }: Versions, name: string) => readWords(join(folder, name));

/** `undefined` where there is no such file. One that is too long, is no file (of a pipe there is no end), or cannot be read, has no words. */
function readWords(path: string): readonly string[] | undefined {
  try {
    const found = lstatSync(path);
    return !found.isFile() || found.size > MAX_VERSION_TEXT_BYTES ? [] : readFileSync(path, "utf8").trim().split(/\s+/);
  } catch (error) {
    return isAbsent(error) ? undefined : [];
  }
}

function put({ folder, platform, observe }: Versions, name: string, text: string): void {
  replaceFile(join(folder, name), `${text}\n`, 0o644);
  syncFolder(folder, platform);
  observe(`${name} written`);
}

function remove({ folder, platform, observe }: Versions, name: string): void {
  rmSync(join(folder, name), { force: true });
  syncFolder(folder, platform);
  observe(`${name} removed`);
}

/** What others than the owner of PROGRAM could have put there or could change, in words. On Windows no access list is read: the starter does. */
function strangersIn({ program, folder, platform }: Versions): readonly string[] {
  if (platform === "win32") return [];
  const owner = lstatSync(program, { throwIfNoEntry: false })?.uid;
  const paths = [folder, ...namesIn(folder).map((name) => join(folder, name))];
  const inVersions = paths.slice(1).flatMap((path) => namesIn(path).map((name) => join(path, name)));
  return [...paths, ...inVersions].flatMap((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return [];
    const isSafe = found.uid === owner && (found.mode & 0o022) === 0 && !found.isSymbolicLink();
    return isSafe
      ? []
      : [`${path} is a link, or not ${owner === 0 ? "root" : "its owner"}'s alone to write; no update is used`];
  });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isAbsent(error) || (error instanceof Error && "code" in error && error.code === "ENOTDIR")) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
