// A reader of the code signature in a Mach-O program, apart from what writes ours: it is held against the vendor's first.
import { createHash } from "node:crypto";

export type CodeSignature = {
  readonly identifier: string;
  readonly isAdHoc: boolean;
  readonly pages: number;
  readonly wrongPages: number;
  /** Whether a certificate's signature is there too. */
  readonly hasCertificate: boolean;
  /** Whether the signature is the last of the file, within the last segment, and no two segments overlap in memory. */
  readonly isInPlace: boolean;
};

type Range = { readonly from: number; readonly to: number };
type Segment = { readonly name: string; readonly file: Range; readonly memory: Range };

const CODE_DIRECTORY_SLOT = 0;
const CERTIFICATE_SLOT = 0x10000;
const SHA256 = 2;

/** `undefined` where there is none. */
export function codeSignatureOf(program: Buffer): CodeSignature | undefined {
  const commands = commandsOf(program);
  const pointer = commands.find(({ kind }) => kind === 0x1d);
  if (pointer === undefined) return undefined;
  const [from, size] = [pointer.bytes.readUInt32LE(8), pointer.bytes.readUInt32LE(12)];
  const blobs = blobsOf(program.subarray(from, from + size));
  const directory = blobs.get(CODE_DIRECTORY_SLOT);
  if (directory === undefined) throw new Error("a signature without a code directory");
  const segments = commands.filter(({ kind }) => kind === 0x19).map(({ bytes }) => segmentOf(bytes));
  return {
    ...readDirectory(directory, program.subarray(0, from)),
    hasCertificate: (blobs.get(CERTIFICATE_SLOT)?.length ?? 0) > 8,
    isInPlace: from + size === program.length && areInPlace(segments, { from, to: from + size }),
  };
}

function commandsOf(program: Buffer): readonly { readonly kind: number; readonly bytes: Buffer }[] {
  const commands = [];
  const end = 32 + program.readUInt32LE(20);
  let at = 32;
  for (let n = program.readUInt32LE(16); n > 0; n--) {
    const bytes = program.subarray(at, at + program.readUInt32LE(at + 4));
    commands.push({ kind: bytes.readUInt32LE(0), bytes });
    at += bytes.length;
  }
  if (at !== end) throw new Error(`the load commands end at ${at}, the header says ${end}`);
  return commands;
}

function segmentOf(bytes: Buffer): Segment {
  const range = (at: number) => {
    const from = Number(bytes.readBigUInt64LE(at));
    return { from, to: from + Number(bytes.readBigUInt64LE(at + 8)) };
  };
  return { name: bytes.toString("latin1", 8, 24).replace(/\0.*$/, ""), memory: range(24), file: range(40) };
}

function areInPlace(segments: readonly Segment[], signature: Range): boolean {
  const linkEdit = segments.find(({ name }) => name === "__LINKEDIT");
  if (linkEdit === undefined) return false;
  const { file, memory } = linkEdit;
  const ordered = segments.map((one) => one.memory).toSorted((a, b) => a.from - b.from);
  const isApart = ordered.every(({ to }, n) => to <= (ordered[n + 1]?.from ?? Infinity));
  const holds = file.from <= signature.from && file.to === signature.to;
  return isApart && holds && memory.to - memory.from >= file.to - file.from;
}

/** Blobs by their slot. */
function blobsOf(superBlob: Buffer): ReadonlyMap<number, Buffer> {
  if (superBlob.readUInt32BE(0) !== 0xfade0cc0) throw new Error("no embedded signature");
  const count = superBlob.readUInt32BE(8);
  return new Map(
    Array.from({ length: count }, (_, n) => {
      const at = superBlob.readUInt32BE(16 + 8 * n);
      return [superBlob.readUInt32BE(12 + 8 * n), superBlob.subarray(at, at + superBlob.readUInt32BE(at + 4))];
    }),
  );
}

function readDirectory(directory: Buffer, code: Buffer) {
  const [flags, hashesAt] = [directory.readUInt32BE(12), directory.readUInt32BE(16)];
  const nameAt = directory.readUInt32BE(20);
  const [pages, limit] = [directory.readUInt32BE(28), directory.readUInt32BE(32)];
  const [hashBytes, hashKind, pageBits] = [directory[36] ?? 0, directory[37], directory[39] ?? 0];
  if (directory.readUInt32BE(0) !== 0xfade0c02 || hashKind !== SHA256) throw new Error("no code directory of SHA-256");
  if (limit !== code.length) throw new Error(`${limit} bytes are signed, of ${code.length}`);
  const pageBytes = 2 ** pageBits;
  if (pages !== Math.ceil(limit / pageBytes)) throw new Error(`${pages} pages of ${pageBytes} for ${limit} bytes`);
  const isWrong = (page: number) => {
    const hash = createHash("sha256")
      .update(code.subarray(page * pageBytes, (page + 1) * pageBytes))
      .digest();
    const at = hashesAt + page * hashBytes;
    return !hash.equals(directory.subarray(at, at + hashBytes));
  };
  const wrongPages = Array.from({ length: pages }, (_, page) => page).filter(isWrong).length;
  const identifier = directory.toString("utf8", nameAt, directory.indexOf(0, nameAt));
  return { identifier, isAdHoc: (flags & 2) !== 0, pages, wrongPages };
}
