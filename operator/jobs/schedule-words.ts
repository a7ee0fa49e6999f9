// When a job runs, in words for whoever signs it or looks it up; nothing for a job that is simply to run now.
import type { JobManifest } from "../../protocol/job.ts";
import { dueAt, lastDueAt } from "../../protocol/runs.ts";
import type { Window } from "../../protocol/window.ts";
import { span } from "../present/span.ts";
import { date } from "../present/time.ts";
import { windowWords } from "../typed-time.ts";

export function scheduleWords(manifest: JobManifest, window: Window | undefined): readonly string[] {
  const { issuedAt, notBefore, runs } = manifest;
  return [
    ...(runs === undefined && notBefore > issuedAt ? [`not before ${date(notBefore)}`] : []),
    ...(runs === undefined ? [] : [roundsWords({ notBefore, runs })]),
    ...(window === undefined ? [] : [`begins only ${windowWords(window)} by each device's own clock`]),
  ];
}

function roundsWords(schedule: {
  readonly notBefore: number;
  readonly runs: NonNullable<JobManifest["runs"]>;
}): string {
  const { count, everyMs } = schedule.runs;
  return `${count} times, every ${span(everyMs)}: first ${date(dueAt(schedule, 1))}, last ${date(lastDueAt(schedule))}`;
}
