// A device that has logged in, and the jobs that are on their way to it: sent in order, at most eight not yet taken.
import { Bucket } from "./bucket.ts";
import type { Connection } from "./connection.ts";
import { LIVE_BURST_BYTES, LIVE_BYTES_PER_SECOND, MAX_IN_FLIGHT } from "./limits.ts";
import type { Store } from "./store.ts";
import type { DeviceKey } from "./store-devices.ts";
import type { Queued } from "./store-jobs.ts";
import type { Tenant } from "./tenant.ts";

export class DeviceSession {
  readonly connection: Connection;
  readonly tenant: Tenant;
  readonly device: string;
  /** The raw key that signs for the device. */
  readonly sig: string;
  readonly #store: Store;
  readonly #inFlight = new Set<string>();
  readonly #known = new Set<string>();
  #live: Bucket | undefined;
  #sentTo = 0;
  /** Whether its enrolment is stored; until then it gets no jobs. */
  enrolled: boolean;

  constructor(
    store: Store,
    login: { connection: Connection; tenant: Tenant; device: string; sig: string; enrolled: boolean },
  ) {
    this.#store = store;
    this.connection = login.connection;
    this.tenant = login.tenant;
    this.device = login.device;
    this.sig = login.sig;
    this.enrolled = login.enrolled;
  }

  get key(): DeviceKey {
    return { n: this.tenant.n, device: this.device };
  }

  /** Whether a job was sent on this connection and is not yet taken. */
  isInFlight(job: string): boolean {
    return this.#inFlight.has(job);
  }

  /** Sends what waits, as far as there is room, and answers the jobs that it sent. */
  fill(now: number): readonly string[] {
    const limit = MAX_IN_FLIGHT - this.#inFlight.size;
    if (!this.enrolled || limit <= 0 || this.tenant.retiredBy !== undefined) return [];
    const queued = this.#store.jobs.queued(this.key, { after: this.#sentTo, limit, now });
    for (const job of queued) this.#deliver(job);
    return queued.map(({ job }) => job);
  }

  /** The job needs no more room. */
  settle(job: string): void {
    this.#inFlight.delete(job);
  }

  /** The device has sent this much live output. */
  paceLive(bytes: number, nowMs: number): void {
    this.#live ??= new Bucket({ burst: LIVE_BURST_BYTES, perSecond: LIVE_BYTES_PER_SECOND }, nowMs);
    this.#live.take(bytes, nowMs);
  }

  /** Milliseconds until it has paid for that, and may be told to send more. */
  liveWaitMs(nowMs: number): number {
    return this.#live === undefined ? 0 : this.#live.waitMs(this.#live.take(0, nowMs));
  }

  /** Whether the job was ever for this device. */
  isTarget(job: string): boolean {
    if (this.#known.has(job)) return true;
    if (this.#store.jobs.delivery({ ...this.key, job }) === undefined) return false;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.add(job);
    return true;
  }

  #deliver({ place, job, envelope, wrap, body }: Queued): void {
    this.#sentTo = place;
    this.#inFlight.add(job);
    const watched = this.tenant.hub.isWatched(job);
    this.connection.send({ type: "job", job, watched }, [envelope, wrap, body]);
  }
}

/** Jobs whose live frames are forwarded without another look into the database. */
const MAX_KNOWN = 256;
