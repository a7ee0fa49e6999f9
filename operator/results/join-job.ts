// Beginning to watch a job that was sent before: from where it stands now, as if that had been told.
import type { Session } from "../connection/session.ts";
import { partAt } from "../connection/relay-client.ts";
import type { JobWatch } from "./watch-jobs.ts";

/** Throws `job-unknown` where the relay has no such job. */
export async function joinJob({ client }: Session, watch: JobWatch, job: string): Promise<void> {
  await client.ask("ok", { type: "watch", jobs: [job], ...(watch.isQuiet ? { quiet: true } : {}) });
  const { header, parts } = await client.ask("job-record", { type: "read-job", job });
  const answered = header.deliveries.filter(({ state }) => state === "answered");
  const receipts = parts.slice(parts.length - answered.length);
  for (const { device, state, note } of header.deliveries) {
    const said = note === undefined ? {} : { note };
    watch.take({ header: { type: "progress", job, device, state, ...said }, parts: [] });
  }
  for (const [at, { device }] of answered.entries())
    watch.take({ header: { type: "receipt-news", job, device }, parts: [partAt(receipts, at)] });
}
