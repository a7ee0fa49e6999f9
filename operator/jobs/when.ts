// When a job is to run, as typed: a time, a maintenance window, a schedule. What a policy allows is checked once it is known.
import { DEFAULT_JOB_LIFETIME_MS, MAX_JOB_LIFETIME_MS, MAX_OCCURRENCES, MIN_EVERY_MS } from "../../protocol/limits.ts";
import type { Policy } from "../../protocol/policy.ts";
import type { Runs } from "../../protocol/runs.ts";
import { Fault } from "../fault.ts";
import { plain } from "../present/escape.ts";
import { span } from "../present/span.ts";
import { date } from "../present/time.ts";
import { parseTime } from "../typed-time.ts";

export type WhenOptions = {
  readonly at?: string;
  readonly every?: number;
  readonly count?: number;
  readonly until?: string;
  readonly expires?: number;
};

/** What was typed, read by itself. */
export type When = {
  readonly notBefore: number | undefined;
  readonly everyMs: number | undefined;
  readonly count: number | undefined;
  readonly until: number | undefined;
  readonly expiresMs: number | undefined;
};

/** What goes into a manifest: when it begins, how often it comes round, and how long after now it ends. */
export type JobTimes = {
  readonly notBefore: number;
  readonly runs?: Runs;
  readonly expiresInMs: number;
};

/** Throws `misuse` for what makes no sense under any policy. */
export function readWhen({ at, every, count, until, expires }: WhenOptions, now: number): When {
  if (every === undefined && (count !== undefined || until !== undefined))
    throw new Fault("misuse", "--count and --until are for --every");
  if (count !== undefined && until !== undefined) throw new Fault("misuse", "--count or --until, not both");
  if (every !== undefined && (every < MIN_EVERY_MS || every > MAX_JOB_LIFETIME_MS))
    throw new Fault("misuse", `--every ${span(every)}: from ${span(MIN_EVERY_MS)} to ${span(MAX_JOB_LIFETIME_MS)}`);
  if (count !== undefined && (count < 2 || count > MAX_OCCURRENCES))
    throw new Fault("misuse", `--count ${count}: from 2 to ${MAX_OCCURRENCES}`);
  return {
    notBefore: at === undefined ? undefined : timeOf("--at", at, now),
    everyMs: every,
    count,
    until: until === undefined ? undefined : timeOf("--until", until, now),
    expiresMs: expires,
  };
}

function timeOf(option: string, typed: string, now: number): number {
  const time = parseTime(typed, now);
  if (time === undefined)
    throw new Fault(
      "misuse",
      `${option} ${plain(typed)}: 2026-12-01T22:00, with Z or +01:00 for another zone; 22:00; or +2h`,
    );
  if (time < now) throw new Fault("misuse", `${option} ${plain(typed)}: that was ${date(time)}`);
  return time;
}

/** Under a policy. Throws `misuse`, with what the policy leaves. */
export function timesOf(when: When, { policy, now }: { readonly policy: Policy; readonly now: number }): JobTimes {
  const notBefore = Math.max(now, when.notBefore ?? now);
  const leadMs = notBefore - now;
  const longest = Math.min(policy.maxJobLifetimeMs, MAX_JOB_LIFETIME_MS);
  const room = longest - leadMs;
  if (room <= 0) throw new Fault("misuse", `--at: the policy lets a job end ${span(longest)} after it was signed`);
  if (when.everyMs !== undefined) return scheduleOf(when, { notBefore, everyMs: when.everyMs, leadMs, room });
  const livesMs = when.expiresMs ?? Math.min(DEFAULT_JOB_LIFETIME_MS, room);
  if (livesMs > room) {
    const at = leadMs === 0 ? "" : ` from its signing on, so ${span(room)} from --at on`;
    throw new Fault("misuse", `--expires: the policy allows ${span(longest)}${at}`);
  }
  return { notBefore, expiresInMs: leadMs + livesMs };
}

type Room = { readonly notBefore: number; readonly everyMs: number; readonly leadMs: number; readonly room: number };

/** The last occurrence has as long as `--expires` says; unless said until the next would be due, a day at the most. */
function scheduleOf(when: When, { notBefore, everyMs, leadMs, room }: Room): JobTimes {
  const wanted = when.expiresMs ?? Math.min(everyMs, DEFAULT_JOB_LIFETIME_MS);
  const count = countOf(when, { notBefore, everyMs, room: room - wanted });
  const lastMs = (count - 1) * everyMs;
  const lastLives = when.expiresMs ?? Math.min(wanted, room - lastMs);
  if (lastLives <= 0 || lastMs + lastLives > room) {
    const fit = Math.max(0, Math.floor((room - 1) / everyMs) + 1);
    throw new Fault(
      "misuse",
      `--every: the policy leaves ${span(room)}, which is room for ${Math.min(fit, MAX_OCCURRENCES)}, not ${count}`,
    );
  }
  return { notBefore, runs: { everyMs, count }, expiresInMs: leadMs + lastMs + lastLives };
}

function countOf({ count, until }: When, { notBefore, everyMs, room }: Omit<Room, "leadMs">): number {
  if (count !== undefined) return count;
  const spanMs = until === undefined ? room : until - notBefore;
  const fitting = Math.floor(spanMs / everyMs) + 1;
  if (fitting < 2) {
    const why = until === undefined ? "the policy leaves room for one" : "--until leaves room for one";
    throw new Fault("misuse", `--every ${span(everyMs)}: ${why}`);
  }
  if (until !== undefined && fitting > MAX_OCCURRENCES)
    throw new Fault("misuse", `--until: ${fitting} times, at most ${MAX_OCCURRENCES}`);
  return Math.min(fitting, MAX_OCCURRENCES);
}
