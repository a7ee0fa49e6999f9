// A relay from its options to its end: state folder, database, listener, timers; what main, tests and benchmarks start.
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Address, hostPort, isLoopback, relayNames } from "./address.ts";
import { makeClaim } from "./claim.ts";
import { Diallers } from "./diallers.ts";
import { DoorKeeper } from "./door-keeper.ts";
import { RETENTION_MS, TENANT_QUOTA_BYTES } from "./limits.ts";
import type { Certificate } from "./listener.ts";
import { sqliteCode } from "./database.ts";
import { lockFolder } from "./lock.ts";
import { Metrics } from "./metrics.ts";
import { Obstacle, systemCode } from "./obstacle.ts";
import type { Log, Relay } from "./relay.ts";
import { Retention } from "./retention.ts";
import { openStore, type Store } from "./store.ts";
import { Tenants } from "./tenants.ts";
import { Trouble } from "./trouble.ts";

export type RelayOptions = {
  /** Made where it is missing; for its owner alone. */
  readonly folder: string;
  readonly listen: Address;
  /** Hosts that peers dial; the listening address where there are none. */
  readonly names?: readonly string[];
  readonly certificate?: Certificate | undefined;
  /** Another program ends TLS in front of this one: plain is right here, and it says who dials. */
  readonly behindTlsProxy?: boolean;
  readonly metricsListen?: Address | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A clock that never goes back, in milliseconds. */
  readonly ticks: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly metrics?: Metrics;
  readonly silenceMs?: number;
  readonly loginTimeoutMs?: number;
  readonly sweepMs?: number;
  readonly retentionMs?: number;
  readonly pruneIntervalMs?: number;
  readonly quotaBytes?: number;
  /** See `DatabaseOptions`. */
  readonly observe?: (point: string) => void;
  readonly maxPages?: number;
};

export type RunningRelay = {
  /** To be dialled, such as `ws://127.0.0.1:7600`. */
  readonly url: string;
  /** Where there is no tenant, and no code that still works was made before. */
  readonly claimCode: string | undefined;
  /** `retires`: the tenant that the code resets, by its id. */
  readonly newClaimCode: (retires?: string) => string;
  readonly setCertificate: (certificate: Certificate) => void;
  /** Takes no more connections, closes all with 1001, and frees the folder. */
  readonly close: () => Promise<void>;
};

/** Throws an obstacle where the relay cannot start; nothing is then left open. */
export async function startRelay(options: RelayOptions): Promise<RunningRelay> {
  checkPlain(options);
  relayNames(options.listen, options.names ?? []);
  makeFolder(options.folder);
  const lock = orObstacle(options.folder, () => lockFolder(options.folder));
  if (lock === undefined) {
    throw new Obstacle(`another relay runs on ${options.folder}`, {
      hint: "end it, or choose another folder with --state",
    });
  }
  using undo = new DisposableStack();
  undo.defer(lock.release);
  const metrics = options.metrics ?? new Metrics();
  const store = undo.adopt(openRelayStore(options, metrics), ({ db }) => db.close());
  const relay = relayOf(options, { store, metrics });
  const keeper = new DoorKeeper(relay, options);
  undo.defer(() => keeper.stop());
  const address = await keeper.open();
  relay.names.push(...relayNames(address, options.names ?? []));
  const retention = new Retention(relay, {
    retentionMs: options.retentionMs ?? RETENTION_MS,
    intervalMs: options.pruneIntervalMs,
  });
  const newClaimCode = (retires?: string) =>
    makeClaim(store.claims, { now: options.now(), random: options.random, retires });
  const claimCode = store.logs.hasTenants() || store.claims.hasUsable(options.now()) ? undefined : newClaimCode();
  const owned = undo.move();
  return {
    url: `${options.certificate === undefined ? "ws" : "wss"}://${hostPort(address)}`,
    claimCode,
    newClaimCode,
    setCertificate: (certificate) => keeper.setCertificate(certificate),
    close: async () => {
      retention.stop();
      await keeper.close();
      owned.dispose();
    },
  };
}

/** Opens the state folder's database beside a running relay, or without one. Throws an obstacle where it cannot. */
export function openRelayStore(
  { folder, observe, maxPages }: Pick<RelayOptions, "folder" | "observe" | "maxPages">,
  metrics?: Metrics,
): Store {
  const open = () =>
    openStore({
      path: join(folder, "relay.db"),
      measure: (seconds) => metrics?.committed(seconds),
      maxPages,
      ...(observe === undefined ? {} : { observe }),
    });
  return orObstacle(folder, open);
}

function orObstacle<T>(folder: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (sqliteCode(error) === undefined && !(error instanceof Trouble)) throw error;
    const why = error instanceof Error ? error.message : "";
    throw new Obstacle(`cannot use the database in ${folder}: ${why}`, {
      hint: "the folder must be this user's, on a disk with room, and its files as the relay wrote them",
    });
  }
}

/** Makes the folder and closes it to others. Throws an obstacle where it cannot be written. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw new Obstacle(`cannot use the state folder ${folder}: ${code}`, {
      hint: "choose a folder of yours with --state DIR",
    });
  }
}

function relayOf(
  { now, ticks, random, log, quotaBytes = TENANT_QUOTA_BYTES }: RelayOptions,
  parts: Pick<Relay, "store" | "metrics">,
) {
  const names: string[] = [];
  const tenants = new Tenants(parts.store);
  return { ...parts, tenants, diallers: new Diallers(ticks), names, now, ticks, random, log, quotaBytes };
}

function checkPlain({ listen, certificate, behindTlsProxy }: RelayOptions): void {
  if (certificate !== undefined || behindTlsProxy === true || isLoopback(listen.host)) return;
  throw new Obstacle(`${hostPort(listen)} is not loopback, and there is no certificate`, {
    hint: "give --tls-cert and --tls-key, or --behind-tls-proxy where a proxy in front of the relay ends TLS",
    kind: "misused",
  });
}
