// What the agent does otherwise on macOS, as far as it can be said without one.
import { describe, expect, it } from "vitest";
import { findingOf, LABEL } from "../../agent/doctor/launchd-findings.ts";
import { defaultState, pathsIn } from "../../agent/paths.ts";
import { environmentOf } from "../../agent/run/environment.ts";
import { behindMacLinks } from "../../agent/files/safe-folder.ts";
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

/** A service as launchctl has it between braces. */
const printed = (lines: string) =>
  findingOf({ type: "answered", code: 0, stdout: `system/${LABEL} = {\n${lines}\n}\n` });

describe("what launchctl prints of the service", () => {
  it("is well where it runs", () => {
    expect(printed("\tactive count = 1\n\tstate = running\n\n\tpid = 512\n\tlast exit code = (never exited)")).toEqual(
      expect.objectContaining({ level: "ok", says: `${LABEL}: running, process 512` }),
    );
  });

  it("is not where it ended, or is not known", () => {
    const says = `${LABEL}: spawn scheduled, last exit code 1`;
    expect(printed("\tstate = spawn scheduled\n\tlast exit code = 1")).toMatchObject({ level: "failed", says });
    expect(findingOf({ type: "answered", code: 113, stdout: "" })).toMatchObject({ level: "failed" });
    expect(findingOf({ type: "silent" })).toMatchObject({ level: "warning" });
  });
});
