// A job's output as people and pipes get it: text of either width on a terminal, the bytes themselves in a pipe.
import * as fc from "fast-check";
import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { LineWriter, RawWriter } from "../../operator/present/output-writer.ts";

class Screen extends Writable {
  readonly isTTY: boolean;
  readonly chunks: Buffer[] = [];
  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

const wide = (value: string) => Buffer.from(`\u{feff}${value}`, "utf16le");

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

function shown(chunks: readonly Uint8Array[], isTTY: boolean): Buffer {
  const screen = new Screen(isTTY);
  const writer = new RawWriter(screen);
  for (const chunk of chunks) writer.write(chunk);
  writer.endLine();
  return screen.bytes;
}

const line = fc.string({ unit: "grapheme-ascii", maxLength: 20 }).map((value) => `Ä日${value}\u{1f600}\n`);
const sizes = fc.array(fc.nat(5), { maxLength: 20 });

describe("output on a terminal", () => {
  test("is the same text however it was cut on its way", () => {
    fc.assert(
      fc.property(line, sizes, (value, at) => {
        expect(shown(cut(Buffer.from(value), at), true).toString()).toBe(value);
      }),
    );
  });

  test("is read as UTF-16 where its first bytes say so, however it was cut", () => {
    fc.assert(
      fc.property(line, sizes, (value, at) => {
        expect(shown(cut(wide(value), at), true).toString()).toBe(value);
      }),
    );
  });

  test("shows what is no text as a mark, to the last byte", () => {
    expect(shown([Buffer.from([0x61, 0xff, 0x62, 0xc3])], true).toString()).toBe("a\u{fffd}b\u{fffd}\n");
    expect(shown([Buffer.from([0xff])], true).toString()).toBe("\u{fffd}\n");
  });

  test("finds its characters again after a middle that nobody kept", () => {
    const whole = wide("abcdefgh");
    const screen = new Screen(true);
    const kept = {
      stream: "stdout",
      size: whole.length,
      head: whole.subarray(0, 6),
      tail: whole.subarray(-5),
    } as const;
    expect(new RawWriter(screen).finish(kept, 0)).toBe(whole.length - 11);
    expect(screen.bytes.toString()).toBe("abgh");
  });
});

describe("output into a pipe", () => {
  test("is the bytes that the job wrote", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), sizes, (bytes, at) => {
        expect(new Uint8Array(shown(cut(bytes, at), false))).toEqual(bytes);
      }),
    );
  });

  test("of many devices is lines in UTF-8, also of a device that wrote UTF-16", () => {
    const screen = new Screen(false);
    const writer = new LineWriter(screen, "pc1: ");
    for (const chunk of cut(wide("Ä\r\nĊ日\nlast"), [1, 2, 3])) writer.write(chunk);
    writer.endLine();
    expect(screen.bytes.toString()).toBe("pc1: Ä\r\npc1: Ċ日\npc1: last\n");
  });

  test("of many devices keeps the bytes of other encodings as they are", () => {
    const screen = new Screen(false);
    const writer = new LineWriter(screen, "x ");
    writer.write(Buffer.from([0xff, 0x0a, 0xc4, 0x0a]));
    writer.endLine();
    expect(screen.bytes).toEqual(Buffer.from([0x78, 0x20, 0xff, 0x0a, 0x78, 0x20, 0xc4, 0x0a]));
  });
});
