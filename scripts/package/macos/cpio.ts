/** Writes a cpio archive in the old character form ("odc", POSIX.1-1997 pax: cpio interchange format), as macOS' packages have it. */
import type { Entry } from "./tree.ts";

const MAGIC = "070707";
const FOLDER_BITS = 0o040000;
const FILE_BITS = 0o100000;
const TRAILER = "TRAILER!!!";

/** The archive's parts, one after the other. Everything is root's, bears this time, and has its place in the list as its inode. */
export function cpioOf(entries: readonly Entry[], epochS: number): readonly Uint8Array[] {
  const root: Entry = { type: "folder", path: "", mode: 0o755 };
  const parts = [root, ...entries].flatMap((entry, index) => partsOf(entry, { inode: index + 1, epochS }));
  const trailer = header({ inode: 0, mode: 0, links: 1, epochS: 0, name: TRAILER, bytes: 0 });
  return [...parts, trailer];
}

function partsOf(entry: Entry, { inode, epochS }: { inode: number; epochS: number }): readonly Uint8Array[] {
  const name = entry.path === "" ? "." : `./${entry.path}`;
  if (entry.type === "folder")
    return [header({ inode, mode: FOLDER_BITS | entry.mode, links: 2, epochS, name, bytes: 0 })];
  const { content, mode } = entry;
  return [header({ inode, mode: FILE_BITS | mode, links: 1, epochS, name, bytes: content.length }), content];
}

type Header = {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly epochS: number;
  readonly name: string;
  readonly bytes: number;
};

/** Octal digits: device, inode, mode, user, group, links, device's own number, time, length of the name with its end, length. */
function header({ inode, mode, links, epochS, name, bytes }: Header): Uint8Array {
  const short = (value: number) => octal(value, 6);
  const numbers = [0, inode, mode, 0, 0, links, 0].map(short).join("");
  return Buffer.from(
    `${MAGIC}${numbers}${octal(epochS, 11)}${short(name.length + 1)}${octal(bytes, 11)}${name}\0`,
    "latin1",
  );
}

function octal(value: number, digits: number): string {
  const text = value.toString(8).padStart(digits, "0");
  if (text.length > digits) throw new Error(`internal error: ${value} has more than ${digits} octal digits`);
  return text;
}
