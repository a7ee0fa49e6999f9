// What is spawned to change the user, and the script that each kind of /bin/sh must understand.
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, openSync, closeSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { changeFault, scriptFor, throughChanger } from "../../agent/run/change-user.ts";
import type { Launch } from "../../agent/run/launch.ts";
import { folder } from "./bound.ts";

const ODD = `it's $HOME \`id\` "x" \\\n Á ǁ 日本 \u{1f600} \u{80}\u{81}\u{88}`;
const job: Launch = {
  program: "/usr/bin/env",
  args: ["-0"],
  env: { HOME: "/home/x", ODD, PATH: "/only/this", IFS: "x", PWD: "/signed" },
  cwd: "/usr/lib",
  hasInput: false,
  descriptors: [],
};

/** The script in this shell, as somebody who has changed the user would start it. */
async function inShell(shell: readonly [string, ...string[]], launch: Launch) {
  const path = join(folder(), "script");
  writeFileSync(path, scriptFor(launch));
  const script = openSync(path, "r");
  const [program, ...args] = shell;
  const child = spawn(program, [...args, "/dev/fd/4", launch.program, ...launch.args], {
    env: {},
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit", "ignore", script, "pipe"],
  });
  closeSync(script);
  const fault = changeFault(child);
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise((resolve) => child.once("close", resolve));
  return { code, fault: await fault, stdout: Buffer.concat(chunks).toString() };
}

const SHELLS = [["/bin/sh"], ["/bin/bash", "--posix"], ["/bin/dash"], ["/bin/busybox", "sh"]] as const;

describe.each(SHELLS.filter(([program]) => existsSync(program)).map((shell) => ({ shell })))(
  "$shell as /bin/sh",
  ({ shell }) => {
    it("gives the program exactly the variables, whatever is in them", async () => {
      const { fault, stdout } = await inShell(shell, job);
      // bash has two of its own that no shell script can take from it.
      const seen = stdout.split("\0").filter((one) => one !== "" && !/^(_|SHLVL)=/.test(one));
      expect(fault).toBeUndefined();
      expect(seen.toSorted()).toEqual(
        Object.entries(job.env)
          .map(([name, value]) => `${name}=${value}`)
          .toSorted(),
      );
    });

    it("starts the program in its folder, in its own place", async () => {
      const { stdout } = await inShell(shell, { ...job, program: "/bin/pwd", args: [], env: {} });
      expect(stdout).toBe("/usr/lib\n");
    });

    it("says which of folder and program was not to be had, and tells it from an exit code", async () => {
      expect(await inShell(shell, { ...job, cwd: "/no/where" })).toMatchObject({ fault: "ENOENT", stdout: "" });
      expect(await inShell(shell, { ...job, program: "/etc/passwd" })).toMatchObject({ fault: "EACCES", stdout: "" });
      const program = { ...job, program: "/bin/sh", args: ["-c", "exit 126"] };
      expect(await inShell(shell, program)).toMatchObject({ fault: undefined, code: 126 });
    });

    it("says nothing where a variable cannot be set, so that nothing runs", async () => {
      const { fault, stdout } = await inShell(shell, { ...job, env: { "NOT-A-NAME": "1" } });
      expect({ fault, stdout }).toEqual({ fault: "EPERM", stdout: "" });
    });
  },
);

function programs(): string {
  const place = join(folder(), "programs");
  mkdirSync(place);
  for (const name of ["chroot", "launchctl", "setpriv"]) {
    writeFileSync(join(place, name), "");
    chmodSync(join(place, name), 0o755);
  }
  return place;
}

describe("the program that changes the user", () => {
  const ids = { uid: 501, gid: 20, groups: [20, 12, 80] };
  const spawned = (platform: NodeJS.Platform, isLoggedOn: boolean, groups: readonly number[] = ids.groups) => {
    const place = programs();
    const change = {
      ids: { ...ids, groups },
      isLoggedOn,
      platform,
      places: { programs: [place], runtime: "/run/user" },
    };
    const { program, args, env, cwd, descriptors } = throughChanger({ ...job, descriptors: [7] }, 8, change);
    const words = [program, ...args].map((word) => word.replace(`${place}/`, ""));
    return { line: words.join(" "), env, cwd, descriptors };
  };

  it("gets nothing of the job but its program and its arguments", () => {
    expect(spawned("linux", true)).toEqual({
      line: "setpriv --reuid 501 --regid 20 --groups 20,12,80 --inh-caps=-all -- /bin/sh /dev/fd/4 /usr/bin/env -0",
      env: {},
      cwd: "/",
      descriptors: [7, 8, "pipe"],
    });
  });

  it("is chroot on macOS, within the user's own launchd where that user is logged on", () => {
    const change = "chroot -u 501 -g 20 -G 20,12,80 / /bin/sh /dev/fd/4 /usr/bin/env -0";
    expect(spawned("darwin", false).line).toBe(change);
    expect(spawned("darwin", true).line).toBe(`launchctl asuser 501 ${change}`);
  });

  it("gets no more groups on macOS than that takes, the first of them", () => {
    const groups = Array.from({ length: 20 }, (_, index) => index + 20);
    const first = "20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35";
    expect(spawned("darwin", false, groups).line).toContain(` -G ${first} / `);
    expect(spawned("linux", false, groups).line).toContain(` --groups ${groups.join(",")} `);
  });
});
