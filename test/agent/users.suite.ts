// A user with groups: made for this suite on this machine, and removed after it. Needs root.
import { execFileSync } from "node:child_process";
import { mkdtempSync, chmodSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ranOn } from "./ran.ts";

const isRoot = process.getuid?.() === 0;
const NAME = `kbtest${process.pid}`;
const GROUPS = [`${NAME}a`, `${NAME}b`];
const user = { as: "user", name: NAME } as const;
const run = (program: string, ...args: readonly string[]) =>
  execFileSync(program, args, { encoding: "utf8", stdio: "pipe" });

describe.runIf(isRoot)("a user with groups", () => {
  let home = "";

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "keybound-home-"));
    for (const group of GROUPS) run("/usr/sbin/groupadd", group);
    run(
      "/usr/sbin/useradd",
      "--no-create-home",
      "--home-dir",
      home,
      "--shell",
      "/bin/bash",
      "--groups",
      GROUPS.join(","),
      NAME,
    );
    run("/usr/bin/chown", NAME, home);
  });

  afterAll(() => {
    run("/usr/sbin/userdel", NAME);
    for (const group of GROUPS) run("/usr/sbin/groupdel", group);
    rmSync(home, { recursive: true, force: true });
  });

  it("runs a job with all of them, as a login would", async () => {
    const { stdout } = await ranOn({ source: "id -G; id -un; id -gn", user });
    const [groups, ...names] = stdout.trim().split("\n");
    expect(new Set(groups?.split(" "))).toEqual(new Set(run("id", "-G", NAME).trim().split(" ")));
    expect(groups?.split(" ")).toHaveLength(3);
    expect(names).toEqual([NAME, NAME]);
  });

  it("reads and writes what only a group may", async () => {
    const shared = mkdtempSync(join(tmpdir(), "keybound-shared-"));
    run("/usr/bin/chgrp", GROUPS[1] ?? "", shared);
    chmodSync(shared, 0o2770);
    const { outcome } = await ranOn({ source: "echo x > file", user, cwd: shared });
    rmSync(shared, { recursive: true });
    expect(outcome).toEqual({ type: "exited", code: 0 });
  });

  it("has the home, the shell and the name of the account", async () => {
    const { stdout } = await ranOn({
      source: 'echo "$HOME $SHELL $USER $LOGNAME"; cd; pwd; touch mine && stat -c %U mine',
      user,
    });
    expect(stdout).toBe(`${home} /bin/bash ${NAME} ${NAME}\n${home}\n${NAME}\n`);
  });

  it("runs a job although nobody may log on as it", async () => {
    run("/usr/sbin/usermod", "--shell", "/usr/sbin/nologin", "--lock", NAME);
    expect((await ranOn({ source: "id -un", user })).stdout).toBe(`${NAME}\n`);
  });

  it("is told apart from an interpreter that only others may start", async () => {
    const closed = join(home, "closed");
    writeFileSync(closed, "#!/bin/sh\n", { mode: 0o700 });
    const job = { shell: "exec", source: undefined, args: [closed], user };
    expect((await ranOn(job)).outcome).toEqual({ type: "not-started", error: "EACCES" });
  });
});
