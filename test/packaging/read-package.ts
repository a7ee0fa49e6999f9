// Reads a flat package of macOS: xar, cpio and bill of materials, from what is known of their forms and not from what writes them.
import { createHash } from "node:crypto";
import { gunzipSync, inflateSync } from "node:zlib";

export type Packed = {
  readonly path: string;
  /** With the bits of its type. */
  readonly mode: number;
  readonly user: number;
  readonly group: number;
  readonly timeS: number;
  readonly content: Buffer;
};

/** Every file of the archive by its path. Throws where a sum is not that of what it is for. */
export function readXar(archive: Buffer): ReadonlyMap<string, Buffer> {
  if (archive.toString("latin1", 0, 4) !== "xar!") throw new Error("no xar");
  const [headerBytes, version] = [archive.readUInt16BE(4), archive.readUInt16BE(6)];
  const [packedBytes, tocBytes] = [Number(archive.readBigUInt64BE(8)), Number(archive.readBigUInt64BE(16))];
  if (version !== 1 || archive.readUInt32BE(24) !== 1) throw new Error("another version, or another sum");
  const packed = archive.subarray(headerBytes, headerBytes + packedBytes);
  const toc = inflateSync(packed).toString("utf8");
  if (toc.length !== tocBytes) throw new Error(`the table has ${toc.length} bytes, not ${tocBytes}`);
  const heap = archive.subarray(headerBytes + packedBytes);
  const [, at, size] = /<checksum style="sha1"><offset>(\d+)<\/offset><size>(\d+)<\/size>/.exec(toc) ?? [];
  sameSum(packed, heap.toString("hex", Number(at), Number(at) + Number(size)));
  return new Map(filesIn(toc, heap));
}

function* filesIn(toc: string, heap: Buffer): Generator<readonly [string, Buffer]> {
  const folders: string[] = [];
  for (const [, opens, name, type, rest] of toc.matchAll(
    /(<file id="\d+">)<name>([^<]*)<\/name><type>(\w+)<\/type>(<data>.*?<\/data>)?|<\/file>/g,
  )) {
    if (opens === undefined) folders.pop();
    else folders.push(String(name));
    if (type !== "file") continue;
    const number = (tag: string) => Number(new RegExp(`<${tag}>(\\d+)</${tag}>`).exec(rest ?? "")?.[1]);
    const content = heap.subarray(number("offset"), number("offset") + number("length"));
    if (content.length !== number("size")) throw new Error(`${name} is not as long as it says`);
    for (const which of ["archived", "extracted"])
      sameSum(content, new RegExp(`<${which}-checksum style="sha1">(\\w+)<`).exec(rest ?? "")?.[1] ?? "");
    yield [folders.join("/"), content];
  }
}

function sameSum(content: Buffer, sum: string): void {
  const found = createHash("sha1").update(content).digest("hex");
  if (found !== sum) throw new Error(`a sum is ${found}, not ${sum}`);
}

/** What is in a gzipped cpio archive of the old character form, up to its trailer. */
export function readCpio(compressed: Buffer): readonly Packed[] {
  const archive = gunzipSync(compressed);
  const found: Packed[] = [];
  for (let at = 0; ; ) {
    const field = (from: number, to: number) => Number.parseInt(archive.toString("latin1", at + from, at + to), 8);
    if (field(0, 6) !== 0o070707) throw new Error(`no header at ${at}`);
    const nameEnd = at + 76 + field(59, 65);
    const path = archive.toString("latin1", at + 76, nameEnd - 1);
    if (archive[nameEnd - 1] !== 0) throw new Error(`${path} has no end`);
    if (path === "TRAILER!!!") return found;
    const content = archive.subarray(nameEnd, nameEnd + field(65, 76));
    const [mode, user, group, timeS] = [field(18, 24), field(24, 30), field(30, 36), field(48, 59)];
    found.push({ path, mode, user, group, timeS, content });
    at = nameEnd + content.length;
  }
}

export type Listed = Omit<Packed, "content"> & { readonly size: number; readonly checksum: number };

/** What a bill of materials lists, in its own order. */
export function readBom(bom: Buffer): readonly Listed[] {
  if (bom.toString("latin1", 0, 8) !== "BOMStore" || bom.readUInt32BE(8) !== 1) throw new Error("no BOMStore");
  const [tableAt, namesAt] = [bom.readUInt32BE(16), bom.readUInt32BE(24)];
  const block = (number: number) => {
    if (number >= bom.readUInt32BE(tableAt)) throw new Error(`no block ${number}`);
    const [at, size] = [bom.readUInt32BE(tableAt + 4 + number * 8), bom.readUInt32BE(tableAt + 8 + number * 8)];
    return bom.subarray(at, at + size);
  };
  const names = new Map<string, number>();
  for (let left = bom.readUInt32BE(namesAt), at = namesAt + 4; left > 0; left--) {
    const size = bom.readUInt8(at + 4);
    names.set(bom.toString("latin1", at + 5, at + 5 + size), bom.readUInt32BE(at));
    at += 5 + size;
  }
  const required = ["BomInfo", "Paths", "HLIndex", "VIndex", "Size64"].filter((name) => !names.has(name));
  if (required.length > 0) throw new Error(`no ${required.join(", ")}`);
  return pathsIn(block(names.get("Paths") ?? 0), block);
}

function pathsIn(tree: Buffer, block: (number: number) => Buffer): readonly Listed[] {
  if (tree.toString("latin1", 0, 4) !== "tree") throw new Error("no tree");
  const leaf = block(tree.readUInt32BE(8));
  const count = leaf.readUInt16BE(2);
  if (leaf.readUInt16BE(0) !== 1 || tree.readUInt32BE(16) !== count) throw new Error("not one leaf with all paths");
  const known = new Map<number, string>();
  return Array.from({ length: count }, (_, index) => {
    const what = block(leaf.readUInt32BE(12 + index * 8));
    const name = block(leaf.readUInt32BE(16 + index * 8));
    const parent = name.readUInt32BE(0);
    const own = name.toString("latin1", 4, name.length - 1);
    const path = parent === 0 ? own : `${known.get(parent)}/${own}`;
    known.set(what.readUInt32BE(0), path);
    const info = block(what.readUInt32BE(4));
    const at = (offset: number) => info.readUInt32BE(offset);
    const [mode, user, group, timeS] = [info.readUInt16BE(4), at(6), at(10), at(14)];
    return { path, mode, user, group, timeS, size: at(18), checksum: at(23) };
  });
}
