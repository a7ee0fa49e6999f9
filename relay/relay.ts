// What every part of a running relay shares: what it keeps, its tenants, its clocks and how it reports.
import type { Diallers } from "./diallers.ts";
import type { Metrics } from "./metrics.ts";
import type { Store } from "./store.ts";
import type { Tenants } from "./tenants.ts";

/** One fact a line, never a secret, claim code or payload. */
export type Log = {
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
};

export type Relay = {
  readonly store: Store;
  readonly tenants: Tenants;
  readonly diallers: Diallers;
  /** Names that a login may be made for: host, and port where it is not the scheme's own. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A monotonic clock. */
  readonly ticks: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly quotaBytes: number;
};
