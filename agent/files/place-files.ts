// Putting a job's files where its body says, from the sealed ones: all of them or none, each whole or not at all.
import { chownSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync, readFileSync, existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { JobBody } from "../../protocol/job-body.ts";
import { isFileName, type JobFile } from "../../protocol/job-file.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import { isDiskFull } from "../fault.ts";
import { type Account, checkUser, findAccounts } from "../run/account.ts";
import type { PreparedJob, RunEnvironment } from "../run/run-job.ts";
import { checkFreeSpace, type Need } from "./free-space.ts";
import { openedChunks } from "./opened-file.ts";
import { openSafeFolder } from "./safe-folder.ts";
import type { SealedFiles } from "./sealed-files.ts";

type Ids = Pick<NonNullable<Account["ids"]>, "uid" | "gid">;

/** Throws `platform-lacks`, `user-absent` or `user-denied` for a file that this device could never put there. */
export function checkFiles({ runnable }: PreparedJob, { account: agent, platform, places }: RunEnvironment): void {
  const { user, files } = runnable.body;
  if (files !== undefined && user.as === "sessions") throw refuse("platform-lacks", "files of a job for every session");
  for (const { path, owner } of files ?? []) {
    const isOfWindows = /^[A-Za-z]:/.test(path);
    if (!isFileName(path) && isOfWindows !== (platform === "win32")) throw refuse("platform-lacks", path.slice(0, 200));
    if (owner !== undefined) checkUser({ as: "user", name: owner }, { agent, platform, places });
  }
}

/** What placing takes of each file system. */
export function needsOf(files: readonly JobFile[], { placed }: RunEnvironment): readonly Need[] {
  return files.map(({ path, size }) => ({ folder: isFileName(path) ? dirname(placed) : dirname(path), bytes: size }));
}

export type Placing = {
  readonly prepared: PreparedJob;
  readonly environment: RunEnvironment;
  readonly sealed: SealedFiles;
  /** Asked when all files are whole and before any is renamed. */
  readonly mayGoOn: () => boolean;
  /** All are renamed; given the job's own folder. Nothing else happens on this device between `mayGoOn`, the renames and this. */
  readonly begin: (folder: string) => boolean;
};

/**
 * Begins the job once every file is in its place; with nothing placed where it may not go on. Throws `file-digest`, `file-place` or
 * `disk-short`, with nothing placed. What a crash leaves behind, `clearPlaced` removes, as the own folder where it did not begin.
 */
export async function placeFiles({ prepared, environment, sealed, mayGoOn, begin }: Placing): Promise<void> {
  const { job, body } = prepared.runnable;
  const { files = [] } = body;
  const id = job.manifest.job;
  clearPlaced(id, { environment, sealed });
  checkFreeSpace(needsOf(files, environment));
  const account = await accountOf(body.user, environment);
  const folder = makeOwnFolder(id, environment);
  await using folders = new AsyncDisposableStack();
  const ready: Ready[] = [];
  let isBegun = false;
  try {
    for (const [at, file] of files.entries()) {
      const owner =
        file.owner === undefined ? account.ids : (await accountOf({ as: "user", name: file.owner }, environment)).ids;
      const into = isFileName(file.path)
        ? { path: folder, sync: () => undefined }
        : folders.use(
            await openSafeFolder(dirname(file.path), {
              trusted: trustedOf(environment, [account.ids, owner]),
              platform: environment.platform,
            }),
          );
      const temporary = `.keybound-${id}-${at}`;
      const from = join(into.path, temporary);
      noteTemporary(id, sealed, isFileName(file.path) ? undefined : join(dirname(file.path), temporary));
      ready.push({ from, to: join(into.path, nameOf(file.path)), sync: into.sync });
      await writeOpened(from, { file, sealed: sealed.pathOf(id, file.blob), owner });
    }
    if (account.ids !== undefined) chownSync(folder, account.ids.uid, account.ids.gid);
    isBegun = mayGoOn() && begin(renameAll(ready, folder));
  } catch (error) {
    throw placeRefusal(error);
  } finally {
    if (!isBegun) {
      // A cancel takes the notes away while a temporary file may be in the making.
      for (const { from } of ready) rmSync(from, { force: true });
      clearPlaced(id, { environment, sealed });
    }
  }
}

type Ready = { readonly from: string; readonly to: string; readonly sync: () => void };

function renameAll(ready: readonly Ready[], folder: string): string {
  for (const { to } of ready) {
    // A rename would fail there, after others had been done.
    if (lstatSync(to, { throwIfNoEntry: false })?.isDirectory() === true)
      throw refuse("file-place", `a folder is at ${nameOf(to)}`.slice(0, 200));
  }
  for (const { from, to } of ready) renameSync(from, to);
  for (const { sync } of ready) sync();
  return folder;
}

/** Removes a job's own folder, and temporary files that a crash left beside their places. */
export function clearPlaced(job: string, { environment, sealed }: Pick<Placing, "environment" | "sealed">): void {
  rmSync(join(environment.placed, job), { recursive: true, force: true });
  const notes = notesOf(job, sealed);
  if (!existsSync(notes)) return;
  for (const path of readFileSync(notes, "utf8").split("\n")) if (path !== "") rmSync(path, { force: true });
  rmSync(notes, { force: true });
}

function notesOf(job: string, sealed: SealedFiles): string {
  return sealed.pathOf(job, "placing");
}

/** On the disk before the file is, in a folder that is the agent's alone. A control character in a path is no path of a body. */
function noteTemporary(job: string, sealed: SealedFiles, path: string | undefined): void {
  if (path !== undefined) writeFileSync(notesOf(job, sealed), `${path}\n`, { flag: "a", mode: 0o600 });
}

/** The folder is the agent's until all files are in it; the one above lets everybody through and nobody look. */
function makeOwnFolder(job: string, { placed }: RunEnvironment): string {
  mkdirSync(placed, { recursive: true, mode: 0o711 });
  const folder = join(placed, job);
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** One account, because a job for several brings no files. Throws `user-absent` or `user-denied`. */
async function accountOf(
  user: JobBody["user"],
  { account: agent, platform, places }: RunEnvironment,
): Promise<Account> {
  const [account] = await findAccounts(user, { agent, platform, places });
  if (account === undefined) throw refuse("user-absent", "nobody");
  return account;
}

function trustedOf({ account }: RunEnvironment, users: readonly (Ids | undefined)[]): ReadonlySet<number> {
  return new Set([0, account.uid, ...users.flatMap((ids) => ids?.uid ?? [])]);
}

function nameOf(path: string): string {
  return path.split(/[\\/]/).at(-1) ?? path;
}

type Opening = { readonly file: JobFile; readonly sealed: string; readonly owner: Ids | undefined };

/** A new file of mode 0600 until it is whole, then of its owner and mode, and on the disk. Throws `file-digest`. */
async function writeOpened(temporary: string, { file, sealed, owner }: Opening): Promise<void> {
  await using to = await open(temporary, "wx", 0o600);
  for await (const chunk of openedChunks(sealed, file))
    for (let at = 0; at < chunk.length; ) at += (await to.write(chunk, at)).bytesWritten;
  if (owner !== undefined) await to.chown(owner.uid, owner.gid);
  await to.chmod(file.mode ?? 0o600);
  await to.sync();
}

function placeRefusal(error: unknown): unknown {
  if (error instanceof Refusal || !(error instanceof Error) || !("syscall" in error)) return error;
  if (isDiskFull(error)) return refuse("disk-short", error.message.slice(0, 200));
  return refuse("file-place", error.message.slice(0, 200));
}
