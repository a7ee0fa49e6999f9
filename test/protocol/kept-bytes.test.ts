// The first and the last bytes of a stream, however it was cut and whatever is kept.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { concat } from "../../protocol/bytes.ts";
import { FirstBytes, LastBytes } from "../../protocol/kept-bytes.ts";

const chunks = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 12 });

test("the first bytes are those of the whole, up to the limit, and each chunk says how many were its own", () => {
  fc.assert(
    fc.property(chunks, fc.nat({ max: 9000 }), (all, limit) => {
      const first = new FirstBytes(limit);
      const taken = all.reduce((sum, chunk) => sum + first.add(chunk), 0);
      expect(Buffer.compare(first.bytes, concat(...all).subarray(0, limit))).toBe(0);
      expect(taken).toBe(first.bytes.length);
    }),
  );
});

test("the last bytes are those of the whole, up to the limit, after every chunk", () => {
  fc.assert(
    fc.property(chunks, fc.nat({ max: 9000 }), (all, limit) => {
      const last = new LastBytes(limit);
      const whole: Uint8Array[] = [];
      for (const chunk of all) {
        last.add(chunk);
        whole.push(chunk);
        const kept = concat(...whole);
        expect(Buffer.compare(last.bytes, kept.subarray(Math.max(0, kept.length - limit)))).toBe(0);
      }
    }),
  );
});

test("what is kept is a copy: whoever gave it may use it again", () => {
  const [first, last] = [new FirstBytes(4), new LastBytes(4)];
  const chunk = Uint8Array.of(1, 2, 3);
  first.add(chunk);
  last.add(chunk);
  chunk.fill(9);
  expect([[...first.bytes], [...last.bytes]]).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});
