// The starter under each shell that may be a device's /bin/sh.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { testStarter } from "./starter-tests.ts";

const SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]].filter(
  ([program = "", ...args]) => spawnSync(program, [...args, "-c", "true"]).status === 0,
);

it("is tried under more than one shell", () => {
  expect(SHELLS.length).toBeGreaterThan(1);
});

describe.each(SHELLS.map((shell) => ({ shell, name: shell.join(" ") })))("under $name", ({ shell }) => {
  testStarter(shell);
});
