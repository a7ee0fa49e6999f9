// When a job is to run, as typed: times, windows and schedules, and what a policy leaves of them.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_POLICY } from "../../protocol/policy.ts";
import { whatIsLeft } from "../../operator/jobs/resign-queued.ts";
import { parseTime, parseWindow, windowWords } from "../../operator/typed-time.ts";
import { type JobTimes, readWhen, timesOf, type WhenOptions } from "../../operator/jobs/when.ts";
import { DAY, HOUR, MINUTE } from "../cast/clock.ts";
import { Tenant } from "../cast/tenant.ts";
import { jobFor } from "../cast/job.ts";
import { device } from "../cast/device.ts";
import { readManifest } from "../../protocol/job.ts";
import { readEnvelopeOf } from "../../protocol/envelope.ts";

const NOW = Date.parse("2026-01-05T12:00:00Z");
const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "Europe/Berlin";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

const iso = (time: number | undefined) => (time === undefined ? undefined : new Date(time).toISOString().slice(0, 16));

describe("a time", () => {
  test.each([
    ["2026-12-01T22:00", "2026-12-01T21:00"],
    ["2026-07-01 22:00:30", "2026-07-01T20:00"],
    ["2026-12-01T22:00Z", "2026-12-01T22:00"],
    ["2026-12-01T22:00+05:30", "2026-12-01T16:30"],
    ["13:30", "2026-01-05T12:30"],
    ["13:00", "2026-01-06T12:00"],
    ["02:00", "2026-01-06T01:00"],
    ["+2h", "2026-01-05T14:00"],
  ])("%s is read in the zone of whoever types it", (typed, said) => {
    expect(iso(parseTime(typed, NOW))).toBe(said);
  });

  test.each(["tomorrow", "2026-02-30T10:00", "2026-12-01", "24:00", "+2", "22", "2026-13-01T10:00", "now"])(
    "%s is none",
    (typed) => {
      expect(parseTime(typed, NOW)).toBeUndefined();
    },
  );
});

describe("a window", () => {
  test.each([
    ["mon-fri 22:00-04:00", "mon-fri 22:00-04:00"],
    ["sun,sat 00:00-24:00", "sat-sun 00:00-24:00"],
    ["22:00-23:00", "mon-sun 22:00-23:00"],
    ["fri-mon 01:00-02:00", "mon,fri-sun 01:00-02:00"],
    ["tue 01:00-02:00", "tue 01:00-02:00"],
  ])("%s is read, and said again as %s", (typed, said) => {
    const window = parseWindow(typed);
    expect(window === undefined ? undefined : windowWords(window)).toBe(said);
  });

  test.each([
    "mon 22:00-22:00",
    "mon 24:00-02:00",
    "noday 01:00-02:00",
    "mon-tue-wed 01:00-02:00",
    "mon",
    "mon 1:00-2:00",
  ])("%s is none", (typed) => {
    expect(parseWindow(typed)).toBeUndefined();
  });
});

function times(options: WhenOptions, maxJobLifetimeMs = 30 * DAY): JobTimes {
  return timesOf(readWhen(options, NOW), { policy: { ...DEFAULT_POLICY, maxJobLifetimeMs }, now: NOW });
}

describe("what goes into the manifest", () => {
  test("is now and a day unless said, and less where the policy is shorter", () => {
    expect([times({}), times({}, HOUR)]).toEqual([
      { notBefore: NOW, expiresInMs: DAY },
      { notBefore: NOW, expiresInMs: HOUR },
    ]);
  });

  test("counts --expires from --at", () => {
    expect(times({ at: "+2h", expires: HOUR })).toEqual({ notBefore: NOW + 2 * HOUR, expiresInMs: 3 * HOUR });
  });

  test("is cut to what the policy leaves after --at where --expires does not say", () => {
    expect(times({ at: "+2h" }, 3 * HOUR)).toEqual({ notBefore: NOW + 2 * HOUR, expiresInMs: 3 * HOUR });
  });

  test("counts a schedule from its first, and gives the last until the next would be due", () => {
    const runs = { everyMs: HOUR, count: 3 };
    expect(times({ at: "+1h", every: HOUR, count: 3 })).toEqual({ notBefore: NOW + HOUR, runs, expiresInMs: 4 * HOUR });
  });

  test("has as many as come before --until", () => {
    expect(times({ every: HOUR, until: "+5h" }).runs?.count).toBe(6);
  });

  test("has as many as the policy lets one job live, and at most a thousand", () => {
    expect([times({ every: DAY }).runs?.count, times({ every: MINUTE }).runs?.count]).toEqual([30, 1000]);
  });

  test.each<[string, WhenOptions, number?]>([
    ["--expires: the policy allows 1 hour", { expires: DAY }, HOUR],
    ["so 1 hour from --at on", { at: "+1h", expires: DAY }, 2 * HOUR],
    ["--at: the policy lets a job end", { at: "+2h" }, HOUR],
    ["--at 2026-01-05T10:00: that was", { at: "2026-01-05T10:00" }],
    ["--count and --until are for --every", { count: 3 }],
    ["--count or --until, not both", { every: DAY, count: 3, until: "+9d" }],
    ["--every 30 seconds: from 1 minute", { every: 30_000 }],
    ["room for 30, not 31", { every: DAY, count: 31 }],
    ["--until leaves room for one", { every: DAY, until: "+1h" }],
    ["1441 times, at most 1000", { every: MINUTE, until: "+1d" }],
  ])("is refused with %s", (words, options, longest) => {
    expect(() => times(options, longest)).toThrow(words);
  });
});

describe("a schedule that is signed again", () => {
  const tenant = new Tenant();
  const left = (manifest: object, passedMs: number) => {
    const { envelope } = jobFor({ tenant, devices: [device("web-1")], manifest: { ...manifest } });
    const signed = readManifest(readEnvelopeOf("job", envelope).payload);
    const { notBefore = 0, runs } = whatIsLeft(signed, tenant.clock.now + passedMs);
    return { at: notBefore - tenant.clock.now, count: runs?.count };
  };

  test("keeps a time that has not come", () => {
    expect(left({ notBefore: tenant.clock.now + HOUR }, MINUTE)).toEqual({ at: HOUR, count: undefined });
  });

  test("keeps what is due from now on, and the last one where nothing else is left", () => {
    const runs = { everyMs: HOUR, count: 4 };
    expect([left({ runs }, 1.5 * HOUR), left({ runs }, 2.5 * HOUR), left({ runs }, 9 * HOUR)]).toEqual([
      { at: 2 * HOUR, count: 2 },
      { at: 3 * HOUR, count: undefined },
      { at: 3 * HOUR, count: undefined },
    ]);
  });
});
