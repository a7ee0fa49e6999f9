// What the agent does otherwise on macOS, as far as it can be said without one.
import { expect, it } from "vitest";
import { defaultState, pathsIn } from "../../agent/paths.ts";
import { environmentOf } from "../../agent/run/environment.ts";
import { behindMacLinks } from "../../agent/safe-folder.ts";
import { ECHO } from "../cast/job.ts";
import { environmentIn } from "./machine.ts";
import { folder, openState } from "./bound.ts";

it("keeps its state, and what its jobs' users must reach, where a folder of root's is, without a space in the path", () => {
  const { state, placed, publicStatus } = pathsIn(defaultState("darwin", undefined), "darwin");
  expect([state, placed, publicStatus]).toEqual([
    "/var/db/keybound",
    "/var/db/keybound.files",
    "/var/db/keybound.status.json",
  ]);
});

it.each([
  ["/etc/ssh", "/private/etc/ssh"],
  ["/tmp", "/private/tmp"],
  ["/var/db/x", "/private/var/db/x"],
  ["/variable", "/variable"],
  ["/Users/etc", "/Users/etc"],
])("takes the folder %s for what it is, %s", (named, real) => {
  expect(behindMacLinks(named)).toBe(real);
});

it("gives jobs no folder of commands that a user may be able to write", () => {
  const { windows } = environmentIn(folder());
  const account = { name: "root", home: "/var/root", shell: "/bin/sh", session: {}, isLoggedOn: false };
  const environment = environmentOf({ ...ECHO, salt: "", args: [], env: [] }, { account, platform: "darwin", windows });
  expect(environment["PATH"]).toBe("/usr/bin:/bin:/usr/sbin:/sbin");
});

it("has its database tell the disk to write, which on macOS a sync alone does not", () => {
  expect(openState().get("PRAGMA fullfsync")).toEqual({ fullfsync: 1 });
});
