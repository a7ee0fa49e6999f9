/**
 * Puts an ad-hoc code signature on a program for macOS: the hashes of its pages, in the form that Apple's linker writes
 * by itself. A Mac with Apple's processor starts nothing without one. It names no publisher and convinces no Gatekeeper.
 *
 * The form is that of `<mach-o/loader.h>` and of xnu's `osfmk/kern/cs_blobs.h`.
 */
import { createHash } from "node:crypto";

const MAGIC_64 = 0xfeedfacf;
const HEADER_BYTES = 32;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
const COMMAND_BYTES = 16;

const EMBEDDED_SIGNATURE = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
const SUPER_BLOB_BYTES = 20;
const DIRECTORY_BYTES = 88;
/** With the limits of the executable segment. */
const DIRECTORY_VERSION = 0x20400;
/** CS_ADHOC and CS_LINKER_SIGNED: codesign may put another in its place. */
const FLAGS = 0x2_0002;
const MAIN_BINARY = 1;
const SHA256 = 2;
const HASH_BYTES = 32;
const PAGE_BITS = 12;
const PAGE_BYTES = 1 << PAGE_BITS;
/** In memory, on both processors' terms. */
const SEGMENT_ALIGNMENT = 0x4000;
const SIGNATURE_ALIGNMENT = 16;

type Segment = { readonly at: number; readonly fileOffset: number; readonly fileBytes: number };

/** A signed copy. Throws where the program has a signature, or no room for the command that points at one. */
export function signAdHoc(program: Buffer, identifier: string): Buffer {
  const { text, linkEdit, end } = layoutOf(program);
  const codeBytes = roundUp(program.length, SIGNATURE_ALIGNMENT);
  const name = Buffer.from(`${identifier}\0`);
  const pages = Math.ceil(codeBytes / PAGE_BYTES);
  const signatureBytes = roundUp(
    SUPER_BLOB_BYTES + DIRECTORY_BYTES + name.length + pages * HASH_BYTES,
    SIGNATURE_ALIGNMENT,
  );
  const signed = Buffer.alloc(codeBytes + signatureBytes);
  program.copy(signed);
  pointAt(signed, { end, linkEdit, codeBytes, signatureBytes });
  writeSignature(signed, { codeBytes, name, pages, text });
  return signed;
}

/** Where the load commands end, and the two segments that matter. */
function layoutOf(program: Buffer): { readonly text: Segment; readonly linkEdit: Segment; readonly end: number } {
  if (program.readUInt32LE(0) !== MAGIC_64) throw new Error("not a 64-bit Mach-O program");
  const end = HEADER_BYTES + program.readUInt32LE(20);
  const segments = new Map<string, Segment>();
  for (let at = HEADER_BYTES; at < end; at += program.readUInt32LE(at + 4)) {
    const command = program.readUInt32LE(at);
    if (command === LC_CODE_SIGNATURE) throw new Error("the Mach-O program has a signature already");
    if (command === LC_SEGMENT_64) segments.set(nameOf(program, at), segmentAt(program, at));
  }
  const [text, linkEdit] = [segments.get("__TEXT"), segments.get("__LINKEDIT")];
  if (text === undefined || linkEdit === undefined) throw new Error("the Mach-O program has no __TEXT or __LINKEDIT");
  if (linkEdit.fileOffset + linkEdit.fileBytes !== program.length)
    throw new Error("the Mach-O program does not end with its __LINKEDIT");
  if (program.subarray(end, end + COMMAND_BYTES).some((byte) => byte !== 0))
    throw new Error(`the Mach-O program has no ${COMMAND_BYTES} free bytes after its load commands`);
  return { text, linkEdit, end };
}

function nameOf(program: Buffer, at: number): string {
  return program.toString("latin1", at + 8, at + 24).replace(/\0.*$/, "");
}

function segmentAt(program: Buffer, at: number): Segment {
  const number = (offset: number) => Number(program.readBigUInt64LE(at + offset));
  return { at, fileOffset: number(40), fileBytes: number(48) };
}

type Place = {
  readonly end: number;
  readonly linkEdit: Segment;
  readonly codeBytes: number;
  readonly signatureBytes: number;
};

/** Adds the load command, and makes __LINKEDIT, in which signatures lie, reach over it. */
function pointAt(signed: Buffer, { end, linkEdit, codeBytes, signatureBytes }: Place): void {
  signed.writeUInt32LE(signed.readUInt32LE(16) + 1, 16);
  signed.writeUInt32LE(signed.readUInt32LE(20) + COMMAND_BYTES, 20);
  [LC_CODE_SIGNATURE, COMMAND_BYTES, codeBytes, signatureBytes].forEach((value, n) =>
    signed.writeUInt32LE(value, end + 4 * n),
  );
  const fileBytes = signed.length - linkEdit.fileOffset;
  signed.writeBigUInt64LE(BigInt(roundUp(fileBytes, SEGMENT_ALIGNMENT)), linkEdit.at + 32);
  signed.writeBigUInt64LE(BigInt(fileBytes), linkEdit.at + 48);
}

type Signed = { readonly codeBytes: number; readonly name: Buffer; readonly pages: number; readonly text: Segment };

/** A super blob of one code directory. Its numbers are big-endian, unlike the program's. */
function writeSignature(signed: Buffer, { codeBytes, name, pages, text }: Signed): void {
  const hashesAt = DIRECTORY_BYTES + name.length;
  const directoryBytes = hashesAt + pages * HASH_BYTES;
  const blob = signed.subarray(codeBytes);
  const index = [EMBEDDED_SIGNATURE, SUPER_BLOB_BYTES + directoryBytes, 1, 0, SUPER_BLOB_BYTES];
  index.forEach((value, n) => blob.writeUInt32BE(value, 4 * n));
  const directory = blob.subarray(SUPER_BLOB_BYTES);
  const head = [
    CODE_DIRECTORY,
    directoryBytes,
    DIRECTORY_VERSION,
    FLAGS,
    hashesAt,
    DIRECTORY_BYTES,
    0,
    pages,
    codeBytes,
  ];
  head.forEach((value, n) => directory.writeUInt32BE(value, 4 * n));
  directory.set([HASH_BYTES, SHA256, 0, PAGE_BITS], 36);
  // 40 to 64: spare, scatter, team, spare, 64-bit limit; none of them is used.
  directory.writeBigUInt64BE(BigInt(text.fileOffset), 64);
  directory.writeBigUInt64BE(BigInt(text.fileBytes), 72);
  directory.writeBigUInt64BE(BigInt(MAIN_BINARY), 80);
  name.copy(directory, DIRECTORY_BYTES);
  for (let page = 0; page < pages; page++) {
    const bytes = signed.subarray(page * PAGE_BYTES, Math.min((page + 1) * PAGE_BYTES, codeBytes));
    createHash("sha256")
      .update(bytes)
      .digest()
      .copy(directory, hashesAt + page * HASH_BYTES);
  }
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
