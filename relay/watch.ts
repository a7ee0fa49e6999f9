// Watching jobs: who does gets their progress, live output and receipts as they come.
import type { FromOperator } from "../protocol/wire.ts";
import { MAX_WATCHES } from "./limits.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";
import { Trouble } from "./trouble.ts";

/** `quiet`: without live output. */
type Watching = { readonly jobs: readonly string[]; readonly quiet?: true | undefined };

/** Throws `quota` where a client watches as many jobs as it may. */
export function addWatches(session: OperatorSession, { jobs, quiet }: Watching): void {
  const { tenant, watched, live } = session;
  const added = jobs.filter((job) => !watched.has(job));
  if (watched.size + added.length > MAX_WATCHES) throw new Trouble("quota", `${MAX_WATCHES} watched jobs`);
  if (quiet !== true) for (const job of jobs) live.add(job);
  for (const job of added) {
    watched.add(job);
    tenant.hub.watch(job, session);
  }
}

/** Begins to watch jobs of the past: devices that have one hear of it, and a live stream's first frame comes at once. */
export function watchJobs(
  { store }: Relay,
  session: OperatorSession,
  { rid, jobs, quiet }: Extract<FromOperator, { type: "watch" }>,
): void {
  const { tenant, connection } = session;
  for (const job of jobs) if (!store.jobs.has({ n: tenant.n, job })) throw new Trouble("job-unknown", job);
  addWatches(session, { jobs, quiet });
  connection.send({ type: "ok", rid });
  if (quiet !== true) for (const job of jobs) joinLive({ store }, session, job);
}

function joinLive({ store }: Pick<Relay, "store">, session: OperatorSession, job: string): void {
  const { tenant, connection } = session;
  for (const { device, state } of store.jobs.deliveries({ n: tenant.n, job })) {
    const target = tenant.hub.devices.get(device);
    if (state === "taken" || target?.isInFlight(job) === true) target?.connection.send({ type: "watched", job });
    const stream = tenant.hub.streams.find(device, job);
    if (stream === undefined) continue;
    stream.flow.join(session);
    connection.send({ type: "live-news", job, device, index: 0 }, [stream.wraps]);
  }
}
