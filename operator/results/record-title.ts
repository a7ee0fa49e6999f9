// What a sent job is called: by its body where it opens for us, else as this client noted when it sent it, else by its id.
import { Refusal } from "../../protocol/refusal.ts";
import type { Session } from "../connection/session.ts";
import { workTitle } from "../jobs/run-request.ts";
import type { JobRecord } from "./job-record.ts";

export function recordTitle({ desk }: Session, { work, manifest }: JobRecord): string {
  if (!(work instanceof Refusal)) return workTitle(work);
  return desk.cache.sentJobs().find(({ job }) => job === manifest.job)?.label ?? manifest.job;
}
