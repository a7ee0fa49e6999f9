/**
 * Writes a bill of materials ("BOMStore", version 1), by which macOS' Installer knows a package's files, their modes and checksums.
 *
 * The form is not Apple's to be read about; its facts are what others have found out: a header, numbered blocks, a table of where each
 * block is, and named blocks. All numbers are big-endian. A tree is a block that names its one leaf; the leaf of `Paths` has a pair of
 * blocks a path: what it is, and its name with its parent's id.
 */
import { cksum } from "./checksum.ts";
import { type Entry, nameOf, parentOf } from "./tree.ts";

const HEADER_BYTES = 512;
const LEAF_BYTES = 4096;
const VERSIONS_LEAF_BYTES = 128;
/** More would need a second leaf and a branch above both. */
export const MAX_PATHS = 256;
const FILE = 1;
const FOLDER = 2;
const FILE_BITS = 0o100000;
const FOLDER_BITS = 0o040000;
/** What every path has that is no program for several processors. */
const ANY_ARCHITECTURE = 3;

/** Every path with the top folder among them, root's, with this time. Throws above MAX_PATHS. */
export function bomOf(entries: readonly Entry[], epochS: number): Uint8Array {
  const all: readonly Entry[] = [{ type: "folder", path: "", mode: 0o755 }, ...entries];
  if (all.length > MAX_PATHS) throw new Error(`internal error: ${all.length} paths, at most ${MAX_PATHS}`);
  const store = new Store();
  // One path more than there are, and one entry of zeros, are what Apple's own has.
  store.name("BomInfo", store.add(numbers(1, all.length + 1, 1, 0, 0, 0, 0)));
  store.name("Paths", tree(store, LEAF_BYTES, pathPairs(store, all, epochS)));
  store.name("HLIndex", tree(store, LEAF_BYTES, []));
  const versions = tree(store, VERSIONS_LEAF_BYTES, []);
  store.name("VIndex", store.add(Buffer.concat([numbers(1, versions, 0), Buffer.of(0)])));
  store.name("Size64", tree(store, LEAF_BYTES, []));
  return store.bytes();
}

type Pair = readonly [what: number, name: number];

/** In the order of their keys: by the parent's id, then by name. Ids are given level by level, so parents come first. */
function pathPairs(store: Store, entries: readonly Entry[], epochS: number): readonly Pair[] {
  const byLevel = entries.toSorted((a, b) => depth(a) - depth(b));
  const ids = new Map(byLevel.map(({ path }, index) => [path, index + 1]));
  return byLevel.map((entry): Pair => {
    const id = ids.get(entry.path) ?? 0;
    const what = store.add(numbers(id, store.add(pathInfo(entry, epochS))));
    const parent = entry.path === "" ? 0 : (ids.get(parentOf(entry)) ?? 0);
    const name = Buffer.from(`${entry.path === "" ? "." : nameOf(entry)}\0`, "latin1");
    return [what, store.add(Buffer.concat([numbers(parent), name]))];
  });
}

function depth({ path }: Entry): number {
  return path === "" ? 0 : path.split("/").length;
}

/** Type, 1, architecture, mode, user, group, time, size, 1, checksum, length of a link's target. */
function pathInfo(entry: Entry, epochS: number): Uint8Array {
  const bytes = Buffer.alloc(31);
  const isFile = entry.type === "file";
  bytes.writeUInt8(isFile ? FILE : FOLDER, 0);
  bytes.writeUInt8(1, 1);
  bytes.writeUInt16BE(ANY_ARCHITECTURE, 2);
  bytes.writeUInt16BE((isFile ? FILE_BITS : FOLDER_BITS) | entry.mode, 4);
  bytes.writeUInt32BE(epochS, 14);
  bytes.writeUInt32BE(isFile ? entry.content.length : 0, 18);
  bytes.writeUInt8(1, 22);
  bytes.writeUInt32BE(isFile ? cksum(entry.content) : 0, 23);
  return bytes;
}

/** The number of a block with "tree", its version, the leaf, the leaf's size and how many paths are in it. */
function tree(store: Store, leafBytes: number, pairs: readonly Pair[]): number {
  const leaf = Buffer.alloc(leafBytes);
  leaf.writeUInt16BE(1, 0);
  leaf.writeUInt16BE(pairs.length, 2);
  leaf.set(numbers(...pairs.flat()), 12);
  const about = numbers(1, store.add(leaf), leafBytes, pairs.length);
  return store.add(Buffer.concat([Buffer.from("tree", "latin1"), about, Buffer.of(0)]));
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4));
  return bytes;
}

/** Blocks by number, from 1 on, and the names of some. */
class Store {
  readonly #blocks: Uint8Array[] = [];
  readonly #names: Uint8Array[] = [];

  add(block: Uint8Array): number {
    return this.#blocks.push(block);
  }

  name(name: string, block: number): void {
    this.#names.push(Buffer.concat([numbers(block), Buffer.of(name.length), Buffer.from(name, "latin1")]));
  }

  /** Header, blocks, names, table. The table starts with block 0, which is none, and ends with the list of free ones: empty, with room for two. */
  bytes(): Uint8Array {
    const places: number[] = [0, 0];
    let end = HEADER_BYTES;
    for (const { length } of this.#blocks) {
      places.push(end, length);
      end += length;
    }
    const names = Buffer.concat([numbers(this.#names.length), ...this.#names]);
    const table = Buffer.concat([numbers(places.length / 2, ...places), numbers(0, 0, 0, 0, 0)]);
    const header = Buffer.alloc(HEADER_BYTES);
    header.write("BOMStore", "latin1");
    header.set(numbers(1, this.#blocks.length, end + names.length, table.length, end, names.length), 8);
    return Buffer.concat([header, ...this.#blocks, names, table]);
  }
}
