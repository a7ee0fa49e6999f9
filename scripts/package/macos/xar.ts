/** Writes a xar archive (version 1), the outer form of a macOS package: a header, a compressed table of contents in XML, the files. */
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";

export type XarFile = { readonly name: string; readonly content: Uint8Array };
export type XarFolder = { readonly name: string; readonly files: readonly XarFile[] };

const HEADER_BYTES = 28;
const SHA1 = 1;
const SHA1_BYTES = 20;

/** Names must need no escape in XML. Files are kept as they are; those of a package that gain by it are compressed already. */
export function xarOf(members: readonly (XarFile | XarFolder)[], epochS: number): Uint8Array {
  const heap = new Heap();
  const files = members.map((member) => memberXml(member, heap)).join("");
  const created = new Date(epochS * 1000).toISOString().slice(0, 19);
  const checksum = `<checksum style="sha1"><offset>0</offset><size>${SHA1_BYTES}</size></checksum>`;
  const toc = `<?xml version="1.0" encoding="UTF-8"?>\n<xar><toc>${checksum}<creation-time>${created}</creation-time>${files}</toc></xar>\n`;
  const packed = deflateSync(toc, { level: 9 });
  return Buffer.concat([header(packed.length, toc.length), packed, sha1(packed), ...heap.parts]);
}

/** "xar!", the header's length, version 1, the table's length packed and unpacked, the kind of its checksum. */
function header(packedBytes: number, tocBytes: number): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write("xar!", "latin1");
  bytes.writeUInt16BE(HEADER_BYTES, 4);
  bytes.writeUInt16BE(1, 6);
  bytes.writeBigUInt64BE(BigInt(packedBytes), 8);
  bytes.writeBigUInt64BE(BigInt(tocBytes), 16);
  bytes.writeUInt32BE(SHA1, 24);
  return bytes;
}

function memberXml(member: XarFile | XarFolder, heap: Heap): string {
  const id = heap.nextId();
  if ("content" in member) return fileXml(member, id, heap);
  const inside = member.files.map((file) => fileXml(file, heap.nextId(), heap)).join("");
  return `<file id="${id}"><name>${plain(member.name)}</name><type>directory</type>${inside}</file>`;
}

function fileXml({ name, content }: XarFile, id: number, heap: Heap): string {
  const sum = sha1(content).toString("hex");
  const sums = ["archived", "extracted"].map((which) => `<${which}-checksum style="sha1">${sum}</${which}-checksum>`);
  const place = `<offset>${heap.add(content)}</offset><length>${content.length}</length><size>${content.length}</size>`;
  const data = `<data>${place}<encoding style="application/octet-stream"/>${sums.join("")}</data>`;
  return `<file id="${id}"><name>${plain(name)}</name><type>file</type>${data}</file>`;
}

function plain(name: string): string {
  if (!/^[\w.-]+$/.test(name)) throw new Error(`internal error: ${name} is no plain name`);
  return name;
}

function sha1(bytes: Uint8Array): Buffer {
  return createHash("sha1").update(bytes).digest();
}

/** What follows the table's checksum, and the ids that the table's files have. */
class Heap {
  readonly parts: Uint8Array[] = [];
  #end = SHA1_BYTES;
  #ids = 0;

  nextId(): number {
    return ++this.#ids;
  }

  /** Where in the heap it was put. */
  add(content: Uint8Array): number {
    const at = this.#end;
    this.parts.push(content);
    this.#end += content.length;
    return at;
  }
}
