// Giving a folder its name, which on Windows somebody else's open file may forbid for a while.
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { moveFolder } from "../../agent/state/replace-file.ts";
import { folder } from "./bound.ts";

/** A folder, and a rename that fails so many times with this code before it does its work. */
function held(times: number, code: string) {
  const at = folder();
  const [from, to] = [join(at, "0.2.0.new"), join(at, "0.2.0")];
  mkdirSync(from);
  let left = times;
  const rename = vi.fn<typeof renameSync>((...paths) => {
    if (left-- > 0) throw Object.assign(new Error(code), { code });
    renameSync(...paths);
  });
  return { from, to, rename };
}

it.each(["EPERM", "EACCES", "EBUSY"])("a folder that is held (%s) gets its name when it is let go", (code) => {
  const { from, to, rename } = held(2, code);
  moveFolder(from, to, { platform: "win32", rename });
  expect([existsSync(from), existsSync(to), rename.mock.calls.length]).toEqual([false, true, 3]);
});

it.each([
  ["linux", "EPERM"],
  ["win32", "ENOENT"],
] as const)("on %s, %s is final", (platform, code) => {
  const { from, to, rename } = held(1, code);
  expect(() => moveFolder(from, to, { platform, rename })).toThrow(code);
  expect([existsSync(from), rename.mock.calls.length]).toEqual([true, 1]);
});
