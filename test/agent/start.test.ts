// The starter, under each shell that may be a device's /bin/sh: which version it picks, and what it does with one that fails.
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { findProgram, isExecutable } from "../../agent/run/ask-program.ts";
import { folder } from "./bound.ts";
import { notifyListener } from "../e2e/notify-listener.ts";
import { type Conduct, InstalledVersions, PACKAGED } from "./installed-versions.ts";

const SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]].filter(
  ([program = "", ...args]) => spawnSync(program, [...args, "-c", "true"]).status === 0,
);

it("is tried under more than one shell", () => {
  expect(SHELLS.length).toBeGreaterThan(1);
});

describe.each(SHELLS.map((shell) => ({ shell, name: shell.join(" ") })))("under $name", ({ shell }) => {
  const started = (setUp: (on: InstalledVersions) => void, ...args: readonly string[]) => {
    const on = new InstalledVersions();
    setUp(on);
    return { on, ...on.start(shell, ...(args.length === 0 ? ["run"] : args)) };
  };

  it("starts the packaged version where there is no other, and says nothing", () => {
    expect(started(() => undefined)).toMatchObject({ ran: PACKAGED, said: "" });
  });

  it.each([
    ["0.2.0", "0.2.0"],
    ["0.1.10", "0.1.10"],
    ["1.0.0", "1.0.0"],
    ["0.1.0", PACKAGED],
    ["0.0.99", PACKAGED],
    ["0.2", PACKAGED],
    ["0.2.0.0", PACKAGED],
    ["0.2000.0", PACKAGED],
    ["../0.2.0", PACKAGED],
    ["0.2.0 x".repeat(1000), PACKAGED],
    ["", PACKAGED],
  ])("with %s as current it starts %s", (current, ran) => {
    const set = (on: InstalledVersions) => {
      if (/^\d+\.\d+\.\d+$/.test(current)) on.place(current);
      on.write("current", `${current}\n`);
    };
    expect(started(set).ran).toBe(ran);
  });

  it("starts a version on trial once it has proved itself", () => {
    const { on, ran } = started((one) => {
      one.place("0.2.0", "proves");
      one.write("trial", "0.2.0 0\n");
    });
    expect([ran, on.read("trial"), on.read("current")]).toEqual(["0.2.0", undefined, "0.2.0\n"]);
  });

  it.each(["exits", "spins", "kills itself"] satisfies Conduct[])(
    "gives up a version that %s after three tries, and starts the one before",
    (conduct) => {
      const { on, ran, said } = started((one) => {
        one.place("0.1.5");
        one.write("current", "0.1.5\n");
        one.place("0.2.0", conduct);
        one.write("trial", "0.2.0 0\n");
      });
      expect([ran, on.read("trial"), on.read("failed")]).toEqual(["0.1.5", undefined, "0.2.0 3\n"]);
      expect(said.match(/trying version 0\.2\.0/g)).toHaveLength(3);
      expect(on.start(shell, "run")).toMatchObject({ ran: "0.1.5", said: "" });
    },
  );

  it("goes on counting where a restart came between", () => {
    const { on, said } = started((one) => {
      one.place("0.2.0", "exits");
      one.write("trial", "0.2.0 2\n");
    });
    expect([said.match(/trying/g)?.length, on.read("failed")]).toEqual([1, "0.2.0 3\n"]);
  });

  it.each([
    ["garbage", "\u0000\u0001 rubbish"],
    ["nothing", ""],
    ["a version without files", "0.9.0 0"],
    ["an older version", "0.0.1 0"],
    ["no count", "0.9.0 x"],
  ])("gives up a trial that holds %s, and starts what it has", (_what, text) => {
    const { on, ran } = started((one) => one.write("trial", text));
    expect([ran, on.read("trial")]).toEqual([PACKAGED, undefined]);
  });

  it("starts what it has where a trial can neither be read nor moved away", () => {
    const { on, ran, said } = started((one) => {
      one.write("failed", "0.0.9 3\n");
      mkdirSync(join(one.versions, "trial"));
    });
    expect([ran, on.read("failed")]).toEqual([PACKAGED, "0.0.9 3\n"]);
    expect(said.match(/is not to be read/g)).toHaveLength(1);
  });

  it("takes a trial for proved where the proof was cut off after its decisive step", () => {
    const { on, ran, said } = started((one) => {
      one.place("0.2.0", "exits");
      one.write("current", "0.2.0\n");
      one.write("trial", "0.2.0 3\n");
    });
    expect([ran, said, on.read("trial")]).toEqual(["0.2.0", "", undefined]);
  });

  it("tries nothing and counts nothing for a person", () => {
    const { on, ran } = started((one) => {
      one.place("0.1.5");
      one.write("current", "0.1.5\n");
      one.place("0.2.0", "spins");
      one.write("trial", "0.2.0 1\n");
    }, "status");
    expect([ran, on.read("trial"), on.read("starts")]).toEqual(["0.1.5", "0.2.0 1\n", undefined]);
  });

  it.each([
    ["has no node", (dir: string) => rmSync(join(dir, "node"))],
    ["has a node that may not run", (dir: string) => chmodSync(join(dir, "node"), 0o644)],
    ["has no bundle", (dir: string) => rmSync(join(dir, "keybound-agent.cjs"))],
    ["does not say its name", (dir: string) => writeFileSync(join(dir, "node"), "#!/bin/sh\nexit 139\n")],
    ["hangs when asked for it", (dir: string) => writeFileSync(join(dir, "node"), "#!/bin/sh\nwhile :; do :; done\n")],
  ])("does not start a proved version that %s", (_what, harm) => {
    const { ran, said } = started((one) => {
      one.place("0.2.0");
      one.write("current", "0.2.0\n");
      harm(join(one.versions, "0.2.0"));
    });
    expect([ran, said]).toEqual([PACKAGED, expect.stringContaining("version 0.2.0 is damaged")]);
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

  it("gives the place of a version that never serves to the one before, after five starts", () => {
    const { on } = started((one) => {
      for (const version of ["0.1.5", "0.2.0"]) one.place(version);
      one.write("current", "0.2.0\n");
      one.write("back", "0.1.5\n");
    });
    const ran = [1, 2, 3, 4, 5].map(() => on.start(shell, "run").ran);
    expect(ran).toEqual(["0.2.0", "0.2.0", "0.2.0", "0.2.0", "0.1.5"]);
    expect([on.read("failed"), on.read("current")]).toEqual(["0.2.0 5\n", "0.1.5\n"]);
  });

  it("goes on starting a version that never serves where none before it can read the state", () => {
    const { on } = started((one) => {
      one.place("0.2.0");
      one.write("current", "0.2.0\n");
    });
    expect([1, 2, 3, 4, 5, 6].map(() => on.start(shell, "run").ran)).toEqual(Array(6).fill("0.2.0"));
  });

  it.each([
    ["its folder is writable by others", (on: InstalledVersions) => chmodSync(on.versions, 0o777)],
    [
      "a version's node is writable by a group",
      (on: InstalledVersions) => chmodSync(join(on.versions, "0.2.0/node"), 0o775),
    ],
    ["a version is a link", (on: InstalledVersions) => symlinkSync("/tmp", join(on.versions, "0.3.0"))],
  ])("uses no update where %s", (_what, harm) => {
    const { ran, said } = started((one) => {
      one.place("0.2.0");
      one.write("current", "0.2.0\n");
      harm(one);
    });
    expect([ran, said]).toEqual([PACKAGED, expect.stringContaining("no update is used")]);
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
});
