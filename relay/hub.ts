// Who of one tenant is connected, who watches which job, and pushing to them what has changed.
import type { KeyLogState } from "../protocol/key-state.ts";
import { refuse } from "../protocol/refusal.ts";
import type { LogName } from "../protocol/wire-fields.ts";
import type { DeviceSession } from "./device-session.ts";
import type { NewcomerSession } from "./newcomer-session.ts";
import { LiveStreams } from "./live-streams.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { StoredRequest } from "./store-requests.ts";
import type { Trouble } from "./trouble.ts";

export class Hub {
  readonly devices = new Map<string, DeviceSession>();
  readonly operators = new Set<OperatorSession>();
  /** By the thumbprint of the key that logged in. */
  readonly newcomers = new Map<string, NewcomerSession>();
  readonly streams = new LiveStreams();
  readonly #watchers = new Map<string, Set<OperatorSession>>();

  // --- Watchers ---

  watch(job: string, session: OperatorSession): void {
    const watchers = this.#watchers.get(job) ?? new Set();
    this.#watchers.set(job, watchers.add(session));
  }

  unwatch(jobs: Iterable<string>, session: OperatorSession): void {
    for (const job of jobs) {
      const watchers = this.#watchers.get(job);
      watchers?.delete(session);
      if (watchers?.size === 0) this.#watchers.delete(job);
    }
  }

  watchersOf(job: string): Iterable<OperatorSession> {
    return this.#watchers.get(job) ?? [];
  }

  /** Of those who watch a job, who wants its live output. */
  liveWatchersOf(job: string): readonly OperatorSession[] {
    return [...this.watchersOf(job)].filter(({ live }) => live.has(job));
  }

  /** Whether somebody waits for a job's live output. */
  isWatched(job: string): boolean {
    return this.liveWatchersOf(job).length > 0;
  }

  /** Whether a job was sent to a device that is here, which has not said that it took it. */
  isInFlight(device: string, job: string): boolean {
    return this.devices.get(device)?.isInFlight(job) === true;
  }

  /** What an operator's client leaves behind: its watches, and the approvals that it offered. */
  forget(session: OperatorSession): void {
    this.operators.delete(session);
    this.unwatch(session.watched, session);
    this.streams.leave(session, session.live);
    for (const job of session.live) if (!this.isWatched(job)) this.#tellUnwatched(job);
    for (const newcomer of this.newcomers.values()) newcomer.forgetOffers(session);
  }

  /** Devices that stream a job do so for nobody. */
  #tellUnwatched(job: string): void {
    for (const device of this.streams.devicesOf(job)) {
      this.devices.get(device)?.connection.send({ type: "unwatched", job });
    }
  }

  // --- Pushes ---

  /** New entries of the key log go to everybody, of the roster to operators. */
  announceEntry(log: LogName, { seq, bytes }: { seq: number; bytes: Uint8Array }): void {
    const header = { type: "log-grew", log, from: seq } as const;
    for (const session of this.operators) session.connection.send(header, [bytes]);
    if (log === "roster") return;
    for (const session of [...this.devices.values(), ...this.newcomers.values()]) {
      session.connection.send(header, [bytes]);
    }
  }

  announceCheckpoint(bytes: Uint8Array): void {
    for (const session of [...this.operators, ...this.devices.values()]) {
      session.connection.send({ type: "checkpoint" }, [bytes]);
    }
  }

  /** Requests or proposals are others than before. */
  announceWaiting(): void {
    for (const { connection } of this.operators) connection.send({ type: "waiting-news" });
  }

  /** To operators; one that is slow sees it when it lists devices. */
  announceReport(device: string, bytes: Uint8Array): void {
    for (const { connection } of this.operators) {
      if (!connection.isSlow) connection.send({ type: "report-news", device }, [bytes]);
    }
  }

  /** Tells whoever filed a request that it is not open any more. */
  closeRequest({ id, key }: StoredRequest, why: "rejected" | "expired"): void {
    const newcomer = this.newcomers.get(key);
    newcomer?.forgetOffers();
    newcomer?.connection.send({ type: "request-closed", request: id, why });
  }

  /** Ends everybody but devices. */
  endPeople(error: Trouble): void {
    for (const { connection } of [...this.operators, ...this.newcomers.values()]) connection.end(error);
  }

  /** Ends the sessions of operators whose key the log no longer has. */
  endRevoked(state: KeyLogState): void {
    for (const session of this.operators) {
      if (state.operators.some(({ key }) => key === session.operatorKey)) continue;
      session.connection.end(refuse("signer-revoked", `key ${session.operatorKey}`));
    }
  }
}
