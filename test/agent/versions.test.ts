// Versions on the disk: whatever step of bringing or proving one is cut off, the starter has a version that works.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { versionFindings } from "../../agent/doctor/version-findings.ts";
import {
  beginTrial,
  canUpdate,
  cleanUp,
  isOnTrial,
  makeIncoming,
  prove,
  refuseOnTrial,
  seeVersions,
  trialOf,
  type Versions,
} from "../../agent/update/versions.ts";
import { isNewer, isRelease } from "../../agent/version.ts";
import { InstalledVersions } from "./installed-versions.ts";
import { PACKAGED } from "./version-cases.ts";

const SH = ["sh"];
class Cut extends Error {}

/** Ends the act after this many changes on the disk; answers whether it came to its end before. */
function cutAfter(steps: number, of: Versions, act: (versions: Versions) => void): boolean {
  let left = steps;
  const observe = () => {
    if (--left < 0) throw new Cut();
  };
  try {
    act({ ...of, observe });
    return true;
  } catch (error) {
    if (error instanceof Cut) return false;
    throw error;
  }
}

function bring(on: InstalledVersions, version: string, job = "job-one") {
  on.fill(makeIncoming(on.seenBy(PACKAGED), version), version, "proves");
  return (versions: Versions) => beginTrial(versions, { version, job });
}

describe("a version that is brought", () => {
  it("is tried, proves itself and is started", () => {
    const on = new InstalledVersions();
    bring(on, "0.2.0")(on.seenBy(PACKAGED));
    expect(on.read("trial")).toBe("0.2.0 0\n");
    expect(on.start(SH, "run").ran).toBe("0.2.0");
  });

  it("leaves a version that works, wherever bringing it is cut off", () => {
    let steps = 0;
    for (let isDone = false; !isDone; steps++) {
      const on = new InstalledVersions();
      isDone = cutAfter(steps, on.seenBy(PACKAGED), bring(on, "0.2.0"));
      const whole = existsSync(join(on.versions, "trial")) ? "0.2.0" : PACKAGED;
      expect([steps, on.start(SH, "run").ran]).toEqual([steps, whole]);
    }
    expect(steps).toBeGreaterThan(4);
  });

  it("leaves a version that works, wherever its proof is cut off", () => {
    let steps = 0;
    for (let isDone = false; !isDone; steps++) {
      const on = new InstalledVersions();
      on.place("0.1.5");
      on.write("current", "0.1.5\n");
      on.place("0.2.0");
      on.write("trial", "0.2.0 1\n");
      isDone = cutAfter(steps, on.seenBy("0.2.0"), (versions) => prove(versions));
      expect([steps, on.start(SH, "run").ran, on.read("trial"), on.read("failed")]).toEqual([
        steps,
        "0.2.0",
        undefined,
        undefined,
      ]);
    }
    expect(steps).toBeGreaterThan(4);
  });

  it("must be newer than the one that runs", () => {
    const on = new InstalledVersions();
    expect(() => bring(on, "0.0.9")(on.seenBy(PACKAGED))).toThrow("internal error");
    expect(existsSync(join(on.versions, "trial"))).toBe(false);
  });
});

describe("what became of a trial", () => {
  it("is told to the job that asked for it, and to no other", () => {
    const on = new InstalledVersions();
    const seen = on.seenBy(PACKAGED);
    bring(on, "0.2.0", "job-a")(seen);
    expect(trialOf(seen, "job-a")).toEqual({ type: "on-trial" });
    on.write("trial", "0.2.0 3\n");
    expect(on.start(SH, "run").ran).toBe(PACKAGED);
    expect(trialOf(seen, "job-a")).toEqual({ type: "failed", version: "0.2.0", tries: 3 });
    expect(trialOf(seen, "job-b")).toEqual({ type: "unknown" });
  });

  it("is proved once it has, and the next trial of the same version begins anew", () => {
    const on = new InstalledVersions();
    const seen = on.seenBy(PACKAGED);
    bring(on, "0.2.0", "job-a")(seen);
    prove(on.seenBy("0.2.0"));
    expect([trialOf(seen, "job-a"), on.read("back")]).toEqual([{ type: "proved" }, `${PACKAGED}\n`]);
  });

  it("a failed version is brought again by another job", () => {
    const on = new InstalledVersions();
    on.write("failed", "0.2.0 3\n");
    bring(on, "0.2.0", "job-b")(on.seenBy(PACKAGED));
    expect([on.read("failed"), on.read("trial"), on.start(SH, "run").ran]).toEqual([undefined, "0.2.0 0\n", "0.2.0"]);
  });
});

describe("this process", () => {
  it("is on trial only as the version that is tried", () => {
    const on = new InstalledVersions();
    on.place("0.2.0");
    on.write("trial", "0.2.0 1\n");
    expect([isOnTrial(on.seenBy("0.2.0")), isOnTrial(on.seenBy(PACKAGED))]).toEqual([true, false]);
    expect(() => refuseOnTrial(on.seenBy(PACKAGED))).toThrow(expect.objectContaining({ code: "update-on-trial" }));
  });

  it("can update itself only where a starter is", () => {
    const on = new InstalledVersions();
    expect(canUpdate(on.seenBy(PACKAGED))).toEqual({ can: true });
    chmodSync(join(on.program, "start"), 0o644);
    expect(canUpdate(on.seenBy(PACKAGED))).toMatchObject({ can: false });
  });
});

/** What the service host beside the program does when it is asked; the real one is asked in test/windows/update.wine.ts. */
function asking(host: string | undefined) {
  const on = new InstalledVersions();
  const words = '[ "$*" = check-versions ] || exit 9';
  if (host !== undefined)
    writeFileSync(join(on.program, "keybound-service.exe"), `#!/bin/sh\n${words}\n${host}\n`, { mode: 0o755 });
  return { ...on.seenBy(PACKAGED), platform: "win32" as const };
}

describe("on Windows this process", () => {
  it("can update itself where the service host would use what comes", () => {
    expect(canUpdate(asking("exit 0"))).toEqual({ can: true });
  });

  it.each([
    ["there is none", undefined],
    ["it is one that does not choose", "echo usage; exit 2"],
    ["it says nothing", "exit 1"],
  ])("has no starter where %s", (_what, host) => {
    expect(canUpdate(asking(host))).toEqual({ can: false, why: expect.stringContaining("no installed agent") });
  });

  it("cannot where the host would not, and the doctor shows why", () => {
    const versions = asking("echo 'C:/versions/0.2.0 is a link'; exit 1");
    expect(canUpdate(versions)).toEqual({ can: false, why: "C:/versions/0.2.0 is a link" });
    expect(versionFindings(versions)).toContainEqual(
      expect.objectContaining({ level: "warning", says: "C:/versions/0.2.0 is a link" }),
    );
  });
});

function toldOfFailed(version: string): readonly string[] {
  const on = new InstalledVersions();
  on.write("failed", `${version} 3\n`);
  return versionFindings(on.seenBy(PACKAGED)).map(({ says }) => says);
}

it("the doctor tells of a version that failed until the package is as new", () => {
  expect(toldOfFailed("0.9.0")).toContainEqual(expect.stringContaining("0.9.0 failed after 3 tries"));
  expect(toldOfFailed(PACKAGED)).not.toContainEqual(expect.stringContaining("failed"));
});

describe("cleaning up", () => {
  it("keeps the version that runs and the one before it, and what is being tried", () => {
    const on = new InstalledVersions();
    for (const version of ["0.1.5", "0.1.6", "0.2.0", "0.3.0", "0.4.0.new", "0.0.9"]) on.place(version);
    on.write("current", "0.2.0\n");
    on.write("back", "0.1.6\n");
    on.write("trial", "0.3.0 0\n");
    cleanUp(on.seenBy("0.2.0"));
    const left = ["0.0.9", "0.1.5", "0.1.6", "0.2.0", "0.3.0", "0.4.0.new"].filter((name) =>
      existsSync(join(on.versions, name)),
    );
    expect(left).toEqual(["0.1.6", "0.2.0", "0.3.0"]);
  });

  it("removes what an upgraded package has overtaken", () => {
    const on = new InstalledVersions();
    on.place("0.0.5");
    on.write("current", "0.0.5\n");
    on.write("back", "0.0.4\n");
    cleanUp(on.seenBy(PACKAGED));
    expect(seeVersions(on.seenBy(PACKAGED))).toMatchObject({ current: undefined, back: undefined, odd: [] });
    expect(existsSync(join(on.versions, "0.0.5"))).toBe(false);
  });

  it("touches nothing in a folder that others can write", () => {
    const on = new InstalledVersions();
    on.place("0.0.5");
    chmodSync(on.versions, 0o777);
    cleanUp(on.seenBy(PACKAGED));
    expect(existsSync(join(on.versions, "0.0.5"))).toBe(true);
  });
});

it("says what it cannot read, and reads no long file", () => {
  const on = new InstalledVersions();
  on.write("current", "0.2.0\n".repeat(1000));
  on.write("trial", "\u0000");
  expect(seeVersions(on.seenBy(PACKAGED)).odd).toEqual([
    expect.stringContaining("versions/current holds no version"),
    expect.stringContaining("versions/trial holds no version"),
  ]);
  writeFileSync(join(on.program, "version"), readFileSync(join(on.program, "start")));
  expect(seeVersions(on.seenBy(PACKAGED)).packaged).toBeUndefined();
});

it("waits for no end of what is no file", () => {
  const on = new InstalledVersions();
  on.place("0.2.0");
  execFileSync("mkfifo", [join(on.versions, "current")]);
  const from = JSON.stringify(join(import.meta.dirname, "../../agent/update/versions.ts"));
  const script = `import { seeVersions, versionsOf } from ${from};
    console.log(seeVersions(versionsOf(${JSON.stringify(join(on.program, "x.cjs"))}, { platform: "linux" })).odd.length)`;
  const words = ["--input-type=module", "-e", script];
  expect(execFileSync(process.execPath, words, { encoding: "utf8", timeout: 10_000 })).toBe("1\n");
});

it.each([
  ["0.1.10", "0.1.9", true],
  ["0.10.0", "0.9.999", true],
  ["1.0.0", "0.999.999", true],
  ["0.1.0", "0.1.0", false],
])("%s newer than %s: %s", (one, other, isIt) => {
  expect(isNewer(one, other)).toBe(isIt);
});

it.each(["0.1", "1.2.3.4", "01.2.3", "1.2.3-rc", "1000.0.0", "../1.2.3", ""])("%j is no release", (text) => {
  expect(isRelease(text)).toBe(false);
});
