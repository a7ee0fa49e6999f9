// What the clock on this device's wall shows, in the zone that the system is set to now.
import { DAYS, type WallClock } from "../../protocol/window.ts";

/**
 * By the zone of `TZ`, else of the system. Where `TZ` is not set, deleting it makes Node ask the system anew, so that a daemon
 * that has run for months follows a machine that has moved.
 */
export function wallClock(time: number): WallClock {
  if (process.env["TZ"] === undefined) delete process.env["TZ"];
  const local = new Date(time);
  const day = DAYS[(local.getDay() + 6) % 7] ?? "mon";
  return { day, minute: local.getHours() * 60 + local.getMinutes() };
}
