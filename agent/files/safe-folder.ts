// Opening the folder that a file is to be put in, so that nobody but root and those it is for can lead it elsewhere or replace it.
import { constants, fsyncSync, lstatSync, type Stats } from "node:fs";
import { open, readlink } from "node:fs/promises";
import { dirname } from "node:path";
import { refuse } from "../../protocol/refusal.ts";

export type OpenFolder = {
  /** Stands for the folder in a path, whatever becomes of its name. */
  readonly path: string;
  /** Makes what was renamed in it last. */
  readonly sync: () => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

const GROUP_WRITABLE = 0o020;
const WORLD_WRITABLE = 0o002;
const STICKY = 0o1000;

/**
 * Throws `file-place` where the path is not the folder's real one, or where it or a folder above it belongs to, or may be
 * written by, somebody who is not trusted (and is not sticky, as `/tmp` is). On Linux the folder that was looked at is the one
 * that is written to; elsewhere somebody trusted can still swap it in between. On Windows no access list is read.
 */
export async function openSafeFolder(
  named: string,
  { trusted, platform }: { trusted: ReadonlySet<number>; platform: NodeJS.Platform },
): Promise<OpenFolder> {
  const path = platform === "darwin" ? behindMacLinks(named) : named;
  if (platform === "win32") return { path, sync: () => undefined, [Symbol.asyncDispose]: async () => undefined };
  for (const folder of withFoldersAbove(path)) checkFolder(folder, trusted);
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const sync = () => fsyncSync(handle.fd);
  const close = () => handle.close();
  if (platform !== "linux") return { path, sync, [Symbol.asyncDispose]: close };
  const held = `/proc/self/fd/${handle.fd}`;
  const real = await readlink(held);
  if (real === path) return { path: held, sync, [Symbol.asyncDispose]: close };
  await close();
  throw refuse("file-place", `${path} is ${real}`.slice(0, 200));
}

/** These three are links of macOS' own, which nobody can change. */
export function behindMacLinks(path: string): string {
  return path.replace(/^\/(?:etc|tmp|var)(?=\/|$)/, "/private$&");
}

function withFoldersAbove(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [path] : [...withFoldersAbove(above), path];
}

function checkFolder(folder: string, trusted: ReadonlySet<number>): void {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined) throw refuse("file-place", `${folder} is not there`);
  if (!found.isDirectory()) throw refuse("file-place", `${folder} is a link or no folder`);
  if (!trusted.has(found.uid)) throw refuse("file-place", `${folder} belongs to user ${found.uid}`);
  if (mayStrangersWrite(found)) throw refuse("file-place", `${folder} may be written by others`);
}

/** A group of root's is root's own. In a sticky folder nobody takes away what is another's. */
function mayStrangersWrite({ mode, gid }: Stats): boolean {
  if ((mode & STICKY) !== 0) return false;
  return (mode & WORLD_WRITABLE) !== 0 || ((mode & GROUP_WRITABLE) !== 0 && gid !== 0);
}
