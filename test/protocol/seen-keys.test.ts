// The index beside a log's list of keys answers as a walk over the list does, however lists were derived from one another.
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { hasSeen, withSeen } from "../../protocol/seen-keys.ts";

const words = fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"), { maxLength: 3 });
/** Which of the lists so far goes on, and with what. */
const step = fc.tuple(fc.nat(), words);

it("answers for every list of every line as the list itself does", () => {
  fc.assert(
    fc.property(words, fc.array(step, { maxLength: 12 }), (first, steps) => {
      const lists: (readonly string[])[] = [first];
      const plain: (readonly string[])[] = [first];
      for (const [n, keys] of steps) {
        const from = n % lists.length;
        lists.push(withSeen(lists[from] ?? [], keys));
        plain.push([...(plain[from] ?? []), ...keys]);
      }
      expect(lists).toEqual(plain);
      for (const list of lists)
        for (const key of "abcdefghi") expect(hasSeen(list, key)).toBe(plain[lists.indexOf(list)]?.includes(key));
    }),
    { numRuns: 500 },
  );
});
