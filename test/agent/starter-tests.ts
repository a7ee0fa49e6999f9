// What the starter must do under a shell that may be a device's /bin/sh: which version it picks, and what it does with one that fails.
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { findProgram, isExecutable } from "../../agent/run/ask-program.ts";
import { notifyListener } from "../e2e/notify-listener.ts";
import { folder } from "./bound.ts";
import { InstalledVersions } from "./installed-versions.ts";
import { expected, PACKAGED, played, type Stand, VERSION_CASES } from "./version-cases.ts";

export function testStarter(shell: readonly string[]): void {
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

  it("starts what it has where a trial can neither be read nor moved away", () => {
    const on = new InstalledVersions();
    on.write("failed", "0.0.9 3\n");
    mkdirSync(join(on.versions, "trial"));
    const { ran, said } = on.start(shell, "run");
    expect([ran, on.read("failed")]).toEqual([PACKAGED, "0.0.9 3\n"]);
    expect(said.match(/is not to be read/g)).toHaveLength(1);
  });

  it.runIf(isExecutable("/usr/bin/systemd-notify"))(
    "asks systemd for as much time as it takes to look for one that is whole",
    async () => {
      const { address, hears } = await notifyListener();
      const on = new InstalledVersions();
      for (const [name, version] of Object.entries({ current: "0.2.0", back: "0.1.5" })) {
        on.place(version);
        on.write(name, `${version}\n`);
        writeFileSync(join(on.versions, version, "node"), "#!/bin/sh\nwhile :; do :; done\n");
      }
      on.env = { NOTIFY_SOCKET: address };
      expect(on.start(shell, "run").ran).toBe(PACKAGED);
      await hears("EXTEND_TIMEOUT_USEC=61000000\nSTATUS=version 0.2.0 is damaged");
      await hears("EXTEND_TIMEOUT_USEC=61000000\nSTATUS=version 0.1.5 is damaged");
    },
  );

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

  it("runs no program that somebody put into the search path", () => {
    const on = new InstalledVersions();
    on.place("0.2.0");
    on.write("current", "0.2.0\n");
    const path = folder();
    for (const name of ["dirname", "find", "head", "ls", "tr"])
      writeFileSync(join(path, name), `#!/bin/sh\ntouch ${path}/ran-$(basename "$0")\n`, { mode: 0o755 });
    const { PATH = "" } = process.env;
    const [program = "", ...first] = shell.map((word, at) =>
      at === 0 ? (findProgram(word, PATH.split(":")) ?? word) : word,
    );
    const words = [...first, join(on.program, "start"), "status"];
    const { stdout } = spawnSync(program, words, { encoding: "utf8", env: { PATH: `${path}:${PATH}` } });
    expect([stdout.trim(), readdirSync(path).filter((name) => name.startsWith("ran-"))]).toEqual(["0.2.0", []]);
  });
}
