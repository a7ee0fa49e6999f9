// What the relay counts of itself, in Prometheus' form; labels come from closed lists, never from a peer.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type Role = "stranger" | "device" | "operator" | "newcomer";

export class Metrics {
  readonly registry = new Registry();
  readonly #connections = new Gauge({
    name: "keybound_relay_connections",
    help: "Open connections by role; stranger before a login.",
    labelNames: ["role"],
    registers: [this.registry],
  });
  readonly #frames = new Counter({
    name: "keybound_relay_frames_total",
    help: "Frames taken from peers, by type.",
    labelNames: ["type"],
    registers: [this.registry],
  });
  readonly #failures = new Counter({
    name: "keybound_relay_failures_total",
    help: "Requests and connections refused, by code; internal is a fault of the relay.",
    labelNames: ["code"],
    registers: [this.registry],
  });
  readonly #commits = new Histogram({
    name: "keybound_relay_commit_seconds",
    help: "Time of one synced commit.",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2],
    registers: [this.registry],
  });
  readonly #pruned = new Counter({
    name: "keybound_relay_pruned_rows_total",
    help: "Jobs, receipts and others deleted because their time was over.",
    registers: [this.registry],
  });

  /** Adds the process's own figures. For a program, not for a relay inside another one: they cannot be taken back. */
  withProcess(): this {
    collectDefaultMetrics({ register: this.registry });
    return this;
  }

  opened(role: Role): void {
    this.#connections.inc({ role });
  }

  closed(role: Role): void {
    this.#connections.dec({ role });
  }

  frame(type: string): void {
    this.#frames.inc({ type });
  }

  failure(code: string): void {
    this.#failures.inc({ code });
  }

  committed(seconds: number): void {
    this.#commits.observe(seconds);
  }

  pruned(rows: number): void {
    this.#pruned.inc(rows);
  }
}
