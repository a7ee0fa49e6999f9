// Maintenance windows by the clock on the wall: over midnight, where summer time begins and ends, and in a zone that changes.
import { afterEach, describe, expect, it } from "vitest";
import { wallClock } from "../../agent/jobs/wall-clock.ts";
import { type Day, isOpen, type Window } from "../../protocol/window.ts";

const zone = process.env["TZ"];
afterEach(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

const window = (days: Day[], from: string, to: string): Window => ({ days, from, to });
/** Of these times of UTC, those at which the window is open in Berlin. */
function openIn(name: string, of: Window, times: readonly string[]): readonly string[] {
  process.env["TZ"] = name;
  return times.filter((time) => isOpen(of, wallClock(Date.parse(time))));
}

describe("a window", () => {
  it("is open from its first minute on, and not in its last", () => {
    const of = window(["mon"], "09:00", "17:00");
    const at = (minute: number) => isOpen(of, { day: "mon", minute });
    expect([539, 540, 1019, 1020].map(at)).toEqual([false, true, true, false]);
  });

  it("that goes on after midnight belongs to the day on which it began", () => {
    const of = window(["fri"], "22:00", "04:00");
    const days: readonly (readonly [Day, number])[] = [
      ["fri", 60],
      ["fri", 1320],
      ["sat", 239],
      ["sat", 240],
      ["sat", 1320],
    ];
    expect(days.map(([day, minute]) => isOpen(of, { day, minute }))).toEqual([false, true, true, false, false]);
  });

  it("until 24:00 ends with its day", () => {
    const of = window(["sun"], "00:00", "24:00");
    expect([isOpen(of, { day: "sun", minute: 1439 }), isOpen(of, { day: "mon", minute: 0 })]).toEqual([true, false]);
  });

  it("from Sunday evening is open on Monday morning", () => {
    expect(isOpen(window(["sun"], "22:00", "04:00"), { day: "mon", minute: 10 })).toBe(true);
  });
});

describe("the clock on the wall", () => {
  it("is the zone's, not UTC", () => {
    process.env["TZ"] = "Asia/Tokyo";
    expect(wallClock(Date.parse("2026-01-04T20:30:00Z"))).toEqual({ day: "mon", minute: 330 });
  });

  it("leaves out an hour when summer time begins: a window inside it does not open that night", () => {
    const night = window(["sun"], "02:00", "03:00");
    const times = ["00:59", "01:00", "01:30", "01:59"].map((time) => `2026-03-29T${time}:00Z`);
    expect(openIn("Europe/Berlin", night, times)).toEqual([]);
    expect(openIn("Europe/Berlin", night, ["2026-03-22T01:30:00Z"])).toHaveLength(1);
  });

  it("opens a window that begins in the hour left out at the first minute after it", () => {
    const night = window(["sun"], "02:30", "04:00");
    const times = ["2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:59:00Z", "2026-03-29T02:00:00Z"];
    expect(openIn("Europe/Berlin", night, times)).toEqual(times.slice(1, 3));
  });

  it("has an hour twice when summer time ends: the window is open in both", () => {
    const night = window(["sun"], "02:00", "03:00");
    const times = ["2026-10-24T23:59:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"];
    expect(openIn("Europe/Berlin", night, times)).toEqual(times.slice(1, 3));
  });

  it("follows a zone that is changed while the process runs", () => {
    const noon = Date.parse("2026-01-05T12:00:00Z");
    process.env["TZ"] = "Europe/Berlin";
    const before = wallClock(noon);
    process.env["TZ"] = "America/New_York";
    expect([before.minute, wallClock(noon).minute]).toEqual([780, 420]);
  });
});
