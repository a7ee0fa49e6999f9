// The starter, under each shell that may be a device's /bin/sh: which version it picks, and what it does with one that fails.
import { chmodSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { InstalledVersions } from "./installed-versions.ts";
import { expected, PACKAGED, played, type Stand, VERSION_CASES } from "./version-cases.ts";

const SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]].filter(
  ([program = "", ...args]) => spawnSync(program, [...args, "-c", "true"]).status === 0,
);

it("is tried under more than one shell", () => {
  expect(SHELLS.length).toBeGreaterThan(1);
});

describe.each(SHELLS.map((shell) => ({ shell, name: shell.join(" ") })))("under $name", ({ shell }) => {
  it.each(VERSION_CASES)("$title", async (one) => {
    const on = new InstalledVersions();
    const stand: Stand = {
      place: (version, conduct) => on.place(version, conduct),
      write: (name, text) => on.write(name, text),
      read: (name) => on.read(name),
      startBy: (who) => on.start(shell, who === "service" ? "run" : "status"),
    };
    expect(await played(stand, one)).toEqual(expected(one));
  });

  it("does not start a proved version that has a node that may not run", () => {
    const on = new InstalledVersions();
    on.place("0.2.0");
    on.write("current", "0.2.0\n");
    chmodSync(join(on.versions, "0.2.0/node"), 0o644);
    expect(on.start(shell, "run")).toEqual({
      ran: PACKAGED,
      said: expect.stringContaining("version 0.2.0 is damaged"),
    });
  });

  it.each([
    ["its folder is writable by others", (on: InstalledVersions) => chmodSync(on.versions, 0o777)],
    [
      "a version's node is writable by a group",
      (on: InstalledVersions) => chmodSync(join(on.versions, "0.2.0/node"), 0o775),
    ],
    ["a version is a link", (on: InstalledVersions) => symlinkSync("/tmp", join(on.versions, "0.3.0"))],
  ])("uses no update where %s", (_what, harm) => {
    const on = new InstalledVersions();
    on.place("0.2.0");
    on.write("current", "0.2.0\n");
    harm(on);
    expect(on.start(shell, "run")).toEqual({ ran: PACKAGED, said: expect.stringContaining("no update is used") });
  });
});
