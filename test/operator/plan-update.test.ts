// How an update is planned: which devices get which file, who is left out and why, and who goes first.
import { describe, expect, test } from "vitest";
import type { AgentStanding } from "../../operator/devices/agent-standing.ts";
import { leftOutLines, offlineLines, planLines, planUpdate, splitPlan } from "../../operator/release/plan-update.ts";
import type { Platform } from "../../protocol/platform.ts";
import { readRelease } from "../../protocol/release.ts";
import { pinnedOf, releaseOf, releaseSigner } from "../cast/release.ts";

/** 0.2.0, for linux-x64 and linux-arm64. */
const { release } = readRelease(releaseOf(), pinnedOf(releaseSigner()));

type Over = { readonly platform?: Platform; readonly version?: string; readonly online?: boolean };

function at(name: string, over: Over = {}): AgentStanding {
  const device = { device: `id of ${name}`, name, class: "standard", sig: "", enc: "", request: "", since: 0 };
  return { device, platform: "linux-x64", version: "0.1.0", online: true, ...over };
}

/** Names of each step's devices, platform by platform. */
const stepsOf = (standings: readonly AgentStanding[], canary: number) =>
  splitPlan(planUpdate(release, standings), canary).map((groups) =>
    groups.map(({ platform, devices }) => `${platform}: ${devices.map(({ device }) => device.name).join(" ")}`),
  );

describe("the plan", () => {
  test("has a group for each platform, with the file that is for it", () => {
    const { groups } = planUpdate(release, [at("web1"), at("pi1", { platform: "linux-arm64" }), at("web2")]);
    expect(groups.map(({ platform, file, devices }) => [platform, file.platform, file.use, devices.length])).toEqual([
      ["linux-x64", "linux-x64", "update", 2],
      ["linux-arm64", "linux-arm64", "update", 1],
    ]);
  });

  test.each([
    ["the same", "0.2.0"],
    ["a newer one, by numbers and not by letters", "0.10.0"],
  ])("leaves out who runs %s", (_what, version) => {
    const { groups, upToDate, without } = planUpdate(release, [at("web1", { version })]);
    expect([groups, upToDate.length, without]).toEqual([[], 1, []]);
  });

  test("takes one whose version is not known for one that is behind", () => {
    const { version: _none, ...unknown } = at("web1");
    expect(planLines(release, planUpdate(release, [unknown]).groups)).toEqual(["web1: unknown to 0.2.0 (linux-x64)"]);
  });

  test("names whom the release has nothing for, and whose platform is not known", () => {
    const { platform: _none, ...unknown } = at("old1");
    const plan = planUpdate(release, [
      at("mac1", { platform: "macos-arm64" }),
      unknown,
      at("web1", { version: "0.2.0" }),
    ]);
    expect(leftOutLines(release, plan)).toEqual([
      "web1: 0.2.0 or a newer one runs there already",
      "left out: mac1: the release has no update for macos-arm64",
      "left out: old1: the release has no update for its platform, or its platform is not known",
    ]);
  });

  test("is shown by the versions before", () => {
    const { groups } = planUpdate(release, [at("web1"), at("web2"), at("web3", { version: "0.0.9" })]);
    expect(planLines(release, groups)).toEqual([
      "web[1-2]: 0.1.0 to 0.2.0 (linux-x64)",
      "web3: 0.0.9 to 0.2.0 (linux-x64)",
    ]);
  });
});

describe("the first of a roll-out", () => {
  const web = ["web10", "web2", "web1"].map((name) => at(name));

  test("are the first by name, as people count", () => {
    expect(stepsOf(web, 2)).toEqual([["linux-x64: web2 web1"], ["linux-x64: web10"]]);
  });

  test("are counted over all platforms together", () => {
    const mixed = [...web, at("pi1", { platform: "linux-arm64" })];
    expect(stepsOf(mixed, 2)).toEqual([["linux-x64: web1", "linux-arm64: pi1"], ["linux-x64: web10 web2"]]);
  });

  test("are those that are online, before one that is away would keep the others waiting", () => {
    expect(stepsOf([at("web1", { online: false }), at("web2"), at("web3")], 1)).toEqual([
      ["linux-x64: web2"],
      ["linux-x64: web1 web3"],
    ]);
  });

  test.each([3, 4, Number.POSITIVE_INFINITY])(
    "are all of three where %d are asked for: no empty step follows",
    (count) => {
      expect(stepsOf(web, count)).toHaveLength(1);
    },
  );

  test("are nobody where there is nobody to update", () => {
    expect(stepsOf([at("web1", { version: "0.2.0" })], 1)).toEqual([]);
  });
});

test("who is away is named", () => {
  const { groups } = planUpdate(release, [at("web1", { online: false }), at("web2"), at("web3", { online: false })]);
  expect(offlineLines(groups)).toEqual(["offline now, and updated when they come: web[1,3]"]);
});
