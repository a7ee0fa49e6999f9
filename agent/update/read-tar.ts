// Reading a tar as SPEC 8.10 allows it (POSIX.1-1988 ustar): regular files with plain names, one after the other, and nothing else.
import { text } from "../../protocol/bytes.ts";
import { refuse } from "../../protocol/refusal.ts";

export type TarEvent =
  | { readonly type: "file"; readonly name: string; readonly size: number; readonly mode: 0o644 | 0o755 }
  /** Of the file that was named last. */
  | { readonly type: "bytes"; readonly bytes: Uint8Array }
  | { readonly type: "end-of-file" };

const BLOCK_BYTES = 512;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Reads what it is given in any cuts. Every method throws `update-archive` for what is not allowed. */
export class TarReader {
  readonly #header = new Uint8Array(BLOCK_BYTES);
  #filled = 0;
  /** Of the file at hand: content, then what fills its last block. */
  #content = 0;
  #padding = 0;
  #emptyBlocks = 0;

  *read(bytes: Uint8Array): Generator<TarEvent, void> {
    for (let at = 0; at < bytes.length; ) {
      const rest = bytes.subarray(at);
      if (this.#content > 0) {
        const part = rest.subarray(0, this.#content);
        this.#content -= part.length;
        at += part.length;
        yield { type: "bytes", bytes: part };
        if (this.#content === 0) yield { type: "end-of-file" };
      } else if (this.#padding > 0) {
        const part = rest.subarray(0, this.#padding);
        if (part.some((byte) => byte !== 0)) throw refuse("update-archive", "bytes after a file's end");
        this.#padding -= part.length;
        at += part.length;
      } else {
        const part = rest.subarray(0, BLOCK_BYTES - this.#filled);
        this.#header.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        if (this.#filled === BLOCK_BYTES) yield* this.#block();
      }
    }
  }

  /** All has been given. */
  end(): void {
    if (this.#emptyBlocks < 2) throw refuse("update-archive", "cut before its end");
  }

  *#block(): Generator<TarEvent, void> {
    this.#filled = 0;
    if (this.#header.every((byte) => byte === 0)) {
      this.#emptyBlocks++;
      return;
    }
    if (this.#emptyBlocks > 0) throw refuse("update-archive", "a file after the end");
    const file = fileOf(this.#header);
    this.#content = file.size;
    this.#padding = (BLOCK_BYTES - (file.size % BLOCK_BYTES)) % BLOCK_BYTES;
    yield { type: "file", ...file };
    if (file.size === 0) yield { type: "end-of-file" };
  }
}

function fileOf(header: Uint8Array) {
  if (wordAt(header, 257, 8) !== "ustar\u000000") throw refuse("update-archive", "no ustar header");
  if (octalAt(header, 148, 8) !== checksumOf(header)) throw refuse("update-archive", "a header whose sum does not fit");
  const name = wordAt(header, 0, 100);
  if (!NAME.test(name)) throw refuse("update-archive", `a file named ${name}`);
  const isPlain = header[156] === 0x30 && wordAt(header, 157, 100) === "" && wordAt(header, 345, 155) === "";
  if (!isPlain) throw refuse("update-archive", `${name} is no regular file in no folder`);
  const mode = octalAt(header, 100, 8);
  if (mode !== 0o644 && mode !== 0o755) throw refuse("update-archive", `${name} of mode ${mode.toString(8)}`);
  return { name, size: octalAt(header, 124, 12), mode } as const;
}

/** Up to its trailing NULs. */
function wordAt(header: Uint8Array, at: number, length: number): string {
  return (text(header.subarray(at, at + length)) ?? "?").replace(/\0+$/, "");
}

/** Digits, and then nothing but NULs and spaces. */
function octalAt(header: Uint8Array, at: number, length: number): number {
  const [, digits] = /^([0-7]{1,11})[\0 ]*$/.exec(wordAt(header, at, length)) ?? [];
  if (digits === undefined) throw refuse("update-archive", "a header without a number");
  return Number.parseInt(digits, 8);
}

/** The sum of its bytes, those of the sum itself taken as spaces. */
function checksumOf(header: Uint8Array): number {
  return header.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}
