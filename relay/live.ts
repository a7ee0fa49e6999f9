// Live output on its way from a device to those who watch, at the pace of the slowest who keeps up. Nothing of it is stored.
import { MAX_LIVE_CREDITS } from "../protocol/limits.ts";
import { refuse } from "../protocol/refusal.ts";
import type { FromDevice, FromOperator } from "../protocol/wire.ts";
import type { DeviceSession } from "./device-session.ts";
import type { LiveStream } from "./live-streams.ts";
import { LIVE_MISS_BYTES, MAX_LIVE_HEAD_BYTES } from "./limits.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Relay } from "./relay.ts";

type Live = Extract<FromDevice, { type: "live" }>;

/** The wraps begin a stream; what follows goes to those who have room for it, and others see by the index that they missed it. */
export function forwardLive(
  relay: Relay,
  session: DeviceSession,
  { header: { job, index }, bytes }: { readonly header: Live; readonly bytes: Uint8Array },
): void {
  const { device, tenant } = session;
  if (!session.isTarget(job)) return;
  const watchers = tenant.hub.liveWatchersOf(job);
  if (index === 0) {
    if (bytes.length > MAX_LIVE_HEAD_BYTES) throw refuse("frame-form", `wraps of ${bytes.length} bytes`);
    tenant.hub.streams.begin({ device, job, wraps: bytes.slice(), watchers });
    for (const { connection } of watchers) connection.send({ type: "live-news", job, device, index }, [bytes]);
    return;
  }
  const stream = tenant.hub.streams.find(device, job);
  if (stream === undefined) return;
  const nowMs = relay.ticks();
  const reachable = watchers.filter(({ connection }) => connection.unsentBytes < LIVE_MISS_BYTES);
  for (const { connection } of stream.flow.receive(bytes.length, reachable, nowMs)) {
    connection.send({ type: "live-news", job, device, index }, [bytes]);
  }
  session.paceLive(bytes.length, nowMs);
  grant(relay, { session, job, stream });
}

/** Watchers take more. */
export function takeLive(
  relay: Relay,
  session: OperatorSession,
  { credits }: Extract<FromOperator, { type: "take-live" }>,
): void {
  const { hub } = session.tenant;
  for (const { job, device, upTo } of credits.slice(0, MAX_LIVE_CREDITS)) {
    const stream = session.live.has(job) ? hub.streams.find(device, job) : undefined;
    if (stream === undefined) continue;
    stream.flow.credit(session, upTo);
    const target = hub.devices.get(device);
    if (target !== undefined) grant(relay, { session: target, job, stream });
  }
}

type Granting = { readonly session: DeviceSession; readonly job: string; readonly stream: LiveStream };

/** Tells the device what is taken, at the earliest when it has paid for what it sent; and looks again when a watcher may be too slow. */
function grant(relay: Relay, { session, job, stream }: Granting): void {
  const nowMs = relay.ticks();
  const waitMs = session.liveWaitMs(nowMs);
  if (waitMs > 0) return later(relay, { session, job, stream }, waitMs);
  const upTo = stream.flow.grant(nowMs);
  if (upTo !== undefined) return session.connection.send({ type: "live-credit", job, upTo });
  const lagsInMs = stream.flow.lagsInMs(nowMs);
  if (lagsInMs !== undefined) later(relay, { session, job, stream }, lagsInMs);
}

function later(relay: Relay, granting: Granting, waitMs: number): void {
  const { session, job, stream } = granting;
  stream.wakeIn(waitMs, () => {
    const { hub } = session.tenant;
    const isCurrent = hub.streams.find(session.device, job) === stream && hub.devices.get(session.device) === session;
    if (isCurrent) grant(relay, granting);
  });
}
