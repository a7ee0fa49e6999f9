// Updates of the agent as jobs: judged by two parties' signatures, alone on the device, and answered once whatever happens between.
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { prove } from "../../agent/update/versions.ts";
import { DAY } from "../cast/clock.ts";
import { jobFor } from "../cast/job.ts";
import { contentOf } from "../cast/job-file.ts";
import { pinnedOf, releaseOf, releaseSigner } from "../cast/release.ts";
import { flipped } from "../cast/statement.ts";
import { agentOn, archiveOf, copyOf, type Disk, inVersions, updateScene } from "./update-scene.ts";

/** The device after 0.2.0 was put on trial, with nothing running. */
async function onTrial() {
  const scene = updateScene();
  const job = scene.update("update");
  const agent = agentOn(scene.disk, scene.acme);
  await agent.jobs.recover();
  scene.give(agent.jobs, job);
  await agent.handedOver();
  await agent.jobs.stop("agent-stop");
  return { ...scene, job, agent };
}

/** What the starter does after three starts of a version that never proved itself. */
function giveUp({ program }: Disk): void {
  rmSync(join(program, "versions/trial"));
  writeFileSync(join(program, "versions/failed"), "0.2.0 3\n");
}

describe("an update", () => {
  it("is unpacked and on trial when the agent ends itself, and has no answer yet", async () => {
    const { disk, agent } = await onTrial();
    expect(inVersions(disk, "trial")).toBe("0.2.0 0");
    expect(inVersions(disk, "0.2.0/keybound-agent.cjs")).toBe("// keybound-agent.cjs 0.2.0");
    expect([agent.outcomes(), agent.faults]).toEqual([[], []]);
  });

  it("is answered by the new version, once that has proved itself", async () => {
    const { disk, acme } = await onTrial();
    const next = agentOn(disk, acme, { running: "0.2.0" });
    prove(next.versions);
    await next.jobs.recover();
    const again = agentOn(disk, acme, { running: "0.2.0" });
    await again.jobs.recover();
    expect(next.outcomes()).toEqual([{ type: "updated", version: "0.2.0" }]);
  });

  it("is answered by the former version where the new one was given up", async () => {
    const { disk, acme } = await onTrial();
    giveUp(disk);
    const former = agentOn(disk, acme);
    await former.jobs.recover();
    expect(former.outcomes()).toEqual([{ type: "rolled-back", version: "0.2.0", running: "0.1.0", tries: 3 }]);
    const again = agentOn(disk, acme);
    await again.jobs.recover();
    expect(again.outcomes()).toHaveLength(1);
  });

  it("is left to a later start where the starter could not begin its trial", async () => {
    const { disk, acme } = await onTrial();
    const former = agentOn(disk, acme);
    await former.jobs.recover();
    expect([former.outcomes(), inVersions(disk, "trial")]).toEqual([[], "0.2.0 0"]);
    await former.jobs.stop("agent-stop");
    giveUp(disk);
    const later = agentOn(disk, acme);
    await later.jobs.recover();
    expect(later.outcomes()).toMatchObject([{ type: "rolled-back" }]);
  });

  it("that comes again after it was answered is not done again", async () => {
    const { disk, acme, give, job } = await onTrial();
    giveUp(disk);
    const former = agentOn(disk, acme);
    await former.jobs.recover();
    give(former.jobs, job);
    expect(former.outcomes()).toHaveLength(1);
    expect(former.restarted).not.toHaveBeenCalled();
  });

  it("may be tried again by another job after its version was given up", async () => {
    const { disk, acme, give, update } = await onTrial();
    giveUp(disk);
    const job = update("once more");
    const former = agentOn(disk, acme);
    await former.jobs.recover();
    give(former.jobs, job);
    await former.handedOver();
    expect([inVersions(disk, "trial"), inVersions(disk, "failed")]).toEqual(["0.2.0 0", undefined]);
  });

  it.each(["synced", "placed", "asked written", "trial written"])(
    "is not tried after it was refused, because the disk failed when %s",
    async (failing) => {
      const { acme, disk, give, update } = updateScene();
      const job = update("update");
      const observe = (point: string) => {
        if (point === failing)
          throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO", syscall: "fsync" });
      };
      const agent = agentOn(disk, acme, { observe });
      await agent.jobs.recover();
      give(agent.jobs, job);
      await agent.answered();
      expect(agent.outcomes()).toMatchObject([{ type: "refused", code: "update-place" }]);
      expect([agent.faults, inVersions(disk, "trial"), inVersions(disk, "0.2.0/node")]).toEqual([
        [],
        undefined,
        undefined,
      ]);
      expect(agent.restarted).not.toHaveBeenCalled();
    },
  );

  it("leaves one answer, and one that is true, wherever the agent is cut off", async () => {
    const { acme, disk, give, update } = updateScene();
    const job = update("update");
    const cuts: { readonly point: string; readonly at: Disk }[] = [];
    const agent = agentOn(disk, acme, { observe: (point) => cuts.push({ point, at: copyOf(disk) }) });
    await agent.jobs.recover();
    give(agent.jobs, job);
    await agent.handedOver();
    const points = cuts.map(({ point }) => point);
    expect(points).toContain("after accept job");
    expect(points.indexOf("trial written")).toBeGreaterThan(points.indexOf("after begin job"));
    for (const { point, at } of cuts.filter(({ point: name }) => name.startsWith("after") || !name.includes("job"))) {
      const isTried = inVersions(at, "trial") !== undefined;
      const next = agentOn(at, acme, { running: isTried ? "0.2.0" : "0.1.0" });
      if (isTried) prove(next.versions);
      await next.jobs.recover();
      const isWaiting = point === "after accept job";
      if (isWaiting) await next.handedOver();
      const expected = isWaiting ? [] : [isTried ? { type: "updated", version: "0.2.0" } : { type: "lost" }];
      expect([point, next.outcomes()]).toEqual([point, expected]);
    }
  });
});

describe("what is no update for this device is refused, and nothing is touched", () => {
  const older = releaseOf({ version: "0.1.0", archive: archiveOf("0.2.0") });
  const other = { keys: pinnedOf(releaseSigner("another")) };
  it.each([
    ["by a build without release keys", {}, { keys: pinnedOf() }, "release-keyless"],
    ["of a release by a key that the build does not have", {}, other, "release-unsigned"],
    ["of a release that was changed", { release: flipped(releaseOf(), 20) }, {}, "release-forged"],
    [
      "of another archive than the release names",
      { release: releaseOf({ archive: contentOf(9) }) },
      {},
      "release-other",
    ],
    ["for another platform", {}, { platform: "macos-arm64" as const }, "update-platform"],
    ["on a platform for which nothing is built", {}, { platform: undefined }, "update-platform"],
    ["to the version that runs", { version: "0.1.0", release: older }, {}, "update-older"],
  ] as const)("%s", async (_what, setup, self, code) => {
    const { acme, disk, give, update } = updateScene();
    const job = update("update", setup);
    const agent = agentOn(disk, acme, { self });
    await agent.jobs.recover();
    give(agent.jobs, job);
    expect(agent.outcomes()).toMatchObject([{ type: "refused", code }]);
    expect(inVersions(disk, "trial")).toBeUndefined();
  });

  it.each([
    ["has no starter, as a program that was started by hand", (disk: Disk) => rmSync(join(disk.program, "start"))],
    ["has versions that somebody else may write", (disk: Disk) => symlinkSync("/tmp", join(disk.program, "versions"))],
  ])("where the program %s, with update-place", async (_what, spoil) => {
    const { acme, disk, give, update } = updateScene();
    spoil(disk);
    const job = update("update");
    const agent = agentOn(disk, acme);
    await agent.jobs.recover();
    give(agent.jobs, job);
    expect(agent.outcomes()).toMatchObject([{ type: "refused", code: "update-place" }]);
  });

  it("where nobody starts the agent again, as in a container, with update-place", async () => {
    const { acme, disk, give, update } = updateScene();
    const job = update("update");
    const agent = agentOn(disk, acme, { self: { isStartedAgain: false } });
    await agent.jobs.recover();
    give(agent.jobs, job);
    expect(agent.outcomes()).toMatchObject([{ type: "refused", code: "update-place" }]);
    expect(inVersions(disk, "trial")).toBeUndefined();
  });

  it("of an archive that holds something else, and other jobs go on", async () => {
    const { acme, disk, device, give, update } = updateScene({ archive: contentOf(70_000) });
    const job = update("update");
    const agent = agentOn(disk, acme);
    await agent.jobs.recover();
    give(agent.jobs, job);
    give(agent.jobs, jobFor({ tenant: acme, devices: [device], word: "echo" }));
    await agent.answered(2);
    expect(agent.outcomes()).toMatchObject([{ type: "refused", code: "update-archive" }, { type: "exited" }]);
    expect(agent.restarted).not.toHaveBeenCalled();
  });
});

describe("an update's turn", () => {
  const sleeping = { source: "sleep 30" };

  /** A device on which a job runs, an update waits, and another job waits behind it. */
  async function behind() {
    const scene = updateScene();
    const job = scene.update("update");
    const agent = agentOn(scene.disk, scene.acme);
    await agent.jobs.recover();
    const target = { tenant: scene.acme, devices: [scene.device] };
    const running = jobFor({ ...target, word: "running", body: sleeping });
    const last = jobFor({ ...target, word: "last" });
    for (const one of [running, job, last]) scene.give(agent.jobs, one);
    const cancel = (one: typeof job) =>
      scene.give(agent.jobs, jobFor({ ...target, word: `cancel ${one.job}`, cancels: [one] }));
    return { ...scene, agent, running, last, job, cancel };
  }

  it("comes when nothing else runs, and nothing begins before it", async () => {
    const { agent, running, cancel } = await behind();
    expect(agent.jobs.running).toBe(1);
    cancel(running);
    await agent.handedOver();
    expect(agent.outcomes()).toMatchObject([{ type: "cancelled", by: "operator" }, { type: "cancel-done" }]);
  });

  it("is given up by a cancel, and who waited behind it begins", async () => {
    const { agent, job, cancel } = await behind();
    cancel(job);
    await agent.answered(3);
    expect(agent.outcomes()).toMatchObject([
      { type: "cancelled", by: "operator" },
      { type: "cancel-done", jobs: [{ state: "was-waiting" }] },
      { type: "exited", code: 0 },
    ]);
    expect(agent.restarted).not.toHaveBeenCalled();
  });

  it("is given up by its own end, and who waited behind it begins", async () => {
    const { agent, acme } = await behind();
    acme.clock.now += 2 * DAY;
    agent.jobs.keysChanged();
    expect(agent.outcomes().filter(({ type }) => type === "expired").length).toBeGreaterThan(0);
    expect(agent.restarted).not.toHaveBeenCalled();
  });

  it("comes once where two bring the same version: the second finds it running", async () => {
    const { disk, acme, give, update } = await onTrial();
    const second = update("second");
    const next = agentOn(disk, acme, { running: "0.2.0" });
    prove(next.versions);
    await next.jobs.recover();
    give(next.jobs, second);
    expect(next.outcomes()).toMatchObject([{ type: "updated" }, { type: "refused", code: "update-older" }]);
  });
});
