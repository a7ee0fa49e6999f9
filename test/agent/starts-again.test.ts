// Who starts an agent again that ends to be replaced: without anybody, an update would be its last act.
import { expect, it } from "vitest";
import { startsAgain } from "../../agent/service/supervise-run.ts";

it.each([
  ["linux", true, false, true],
  ["linux", false, false, false],
  // Whoever ends it by its input need not be one who starts it again.
  ["linux", false, true, false],
  ["win32", false, true, true],
  ["win32", false, false, false],
  ["darwin", false, false, true],
  ["freebsd", false, false, false],
] as const)("on %s, with systemd %s and an input that is held %s: %s", (platform, isThere, untilInputEnds, again) => {
  expect(startsAgain(platform, { supervisor: { isThere }, untilInputEnds })).toBe(again);
});
