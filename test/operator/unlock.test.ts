// What an unlocked client says of its own key.
import { expect, it } from "vitest";
import { keyEndWords } from "../../operator/unlock/unlock.ts";
import { Clock, DAY } from "../cast/clock.ts";

const { now } = new Clock();

it("speaks of a key's end a month before it, and after it", () => {
  expect(keyEndWords(now + 31 * DAY, now)).toBeUndefined();
  expect(keyEndWords(now + 30 * DAY, now)).toContain("your key ends on 2026-02-04");
  expect(keyEndWords(now, now)).toContain("your key ended on 2026-01-05");
});
