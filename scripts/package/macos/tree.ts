/** What a macOS package installs, as a list of folders and files; all of it is root's, of the group wheel. */

export type Folder = { readonly type: "folder"; readonly path: string; readonly mode: number };
export type File = {
  readonly type: "file";
  /** From the root of the package, such as `usr/local/bin/x`. */
  readonly path: string;
  /** The permission bits, such as 0o755. */
  readonly mode: number;
  readonly content: Uint8Array;
};
export type Entry = Folder | File;

/** Names of a package's files are plain: no system spells them in two ways, and no format has to escape them. */
const PLAIN = /^[A-Za-z0-9][\w.+ -]*(\/[A-Za-z0-9][\w.+ -]*)*$/;

/**
 * The files with every folder above them, each folder of mode 0755 and before what is in it; siblings by name. Throws where a
 * path is not plain or there twice.
 */
export function treeOf(files: readonly File[]): readonly Entry[] {
  const bad = files.find(({ path }) => !PLAIN.test(path));
  if (bad !== undefined) throw new Error(`internal error: ${bad.path} cannot be packed`);
  const folders = new Set(files.flatMap(({ path }) => foldersAbove(path)));
  const entries = [...files, ...[...folders].map((path): Folder => ({ type: "folder", path, mode: 0o755 }))];
  if (new Set(entries.map(({ path }) => path)).size !== entries.length)
    throw new Error("internal error: a path is packed twice");
  return entries.toSorted((a, b) => compareParts(a.path.split("/"), b.path.split("/")));
}

/** Before what names it: `a/b/c` gives `a` and `a/b`. */
function foldersAbove(path: string): readonly string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_part, index) => parts.slice(0, index + 1).join("/"));
}

/** Part by part, so that what is in a folder follows it at once. */
function compareParts(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((part, index) => part !== b[index]);
  if (at === -1) return a.length - b.length;
  const [one, other] = [a[at] ?? "", b[at] ?? ""];
  return one < other ? -1 : 1;
}

export function nameOf({ path }: Entry): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The path of the folder that it is in; empty at the top. */
export function parentOf({ path }: Entry): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}
