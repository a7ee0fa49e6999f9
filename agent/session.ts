// Serving one owner over one connection at a time: what comes from the relay is handed to who judges it, what is to go there is sent.
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { toBase64url } from "../protocol/bytes.ts";
import { readCheckpoint } from "../protocol/checkpoint.ts";
import type { KeyLogState } from "../protocol/key-state.ts";
import { MAX_CLOCK_AHEAD_MS } from "../protocol/limits.ts";
import { Refusal } from "../protocol/refusal.ts";
import type { LogPlace } from "../protocol/fields.ts";
import { takeDeviceEntries } from "./binding/device-entries.ts";
import { takeInventory } from "./inventory/inventory.ts";
import { fetchKeyLog, loadAdmission, takeKeyEntries } from "./binding/key-follower.ts";
import type { Delivery } from "./jobs/ledger.ts";
import { INVENTORY_DELAY_MS, INVENTORY_EVERY_MS, MAX_PENDING_BYTES, MAX_PENDING_FRAMES } from "./limits.ts";
import type { Jobs } from "./jobs/jobs.ts";
import type { AgentVersion } from "./version.ts";
import { addVouch, keyLogView, raiseFloor, readVouches } from "./binding/owner.ts";
import type { OwnerState } from "./binding/owner-state.ts";
import { ConnectionLost, type RelayConnection, RelayFailure, type RelayFrame } from "./connection/relay-connection.ts";
import { ENROLMENT_REFUSED } from "./connection/relay-link.ts";
import type { Reports } from "./binding/reports.ts";
import type { RunEnvironment } from "./run/run-job.ts";
import type { Uploads } from "./answers/uploads.ts";

export type SessionOptions = {
  readonly owned: OwnerState;
  readonly jobs: Jobs;
  readonly uploads: Uploads;
  readonly reports: Reports;
  readonly agent: AgentVersion;
  /** The command that prints this device's facts. */
  readonly inventoryCommand: readonly [string, ...string[]];
  readonly environment: Pick<RunEnvironment, "containment">;
  readonly now: () => number;
  readonly log: Logger;
  /** The state can no longer be written, or something of ours is broken. */
  readonly onFault: (error: unknown) => void;
  /** What `status` shows may have changed. */
  readonly onChange: () => void;
};

/** Frames of one connection are handled one after the other, so that a job waits for the key events before it. */
export class Session {
  readonly #options: SessionOptions;
  readonly #connection: RelayConnection;
  readonly #ended = new AbortController();
  #turn: Promise<void> = Promise.resolve();
  #pending = 0;
  #pendingBytes = 0;

  constructor(connection: RelayConnection, options: SessionOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** The login was taken. */
  begin({
    enrolled,
    keyHead,
  }: {
    readonly enrolled?: boolean | undefined;
    readonly keyHead?: LogPlace | undefined;
  }): void {
    this.#enqueue(async () => {
      if (keyHead !== undefined) await this.#follow(keyHead.seq);
      if (enrolled === false) await this.#enrol();
      this.#options.uploads.connected(this.#connection);
      this.#options.jobs.connected();
      this.#options.reports.connected(this.#connection);
      void this.#keepInventory().catch(this.#options.onFault);
    });
  }

  end(): void {
    this.#ended.abort();
    this.#options.uploads.disconnected();
    this.#options.reports.disconnected();
    this.#options.jobs.disconnected();
  }

  receive(frame: RelayFrame): void {
    const { header, parts } = frame;
    if (header.type === "live-credit") return this.#options.jobs.creditLive(header.job, header.upTo);
    if (header.type === "watched") return this.#options.jobs.watch(header.job);
    if (header.type === "unwatched") return this.#options.jobs.unwatch(header.job);
    if (header.type === "job" && this.#pending === 0) return this.#guard(() => this.#takeJob(header, parts));
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    this.#enqueue(() => this.#handle(frame), size);
  }

  // A relay that sends more than we can judge loses the connection, not our memory.
  #enqueue(work: () => Promise<void> | void, size = 0): void {
    if (this.#pending >= MAX_PENDING_FRAMES || this.#pendingBytes + size > MAX_PENDING_BYTES) {
      return this.#connection.close("more frames than can be judged");
    }
    this.#pending++;
    this.#pendingBytes += size;
    this.#turn = this.#turn
      .then(() => (this.#ended.signal.aborted ? undefined : work()))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#pending--;
        this.#pendingBytes -= size;
      });
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    // What was asked on it is asked again on the next connection.
    if (error instanceof ConnectionLost) return;
    if (error instanceof Refusal)
      return this.#options.log.warn({ code: error.code, detail: error.detail }, "statement refused");
    if (error instanceof RelayFailure)
      return this.#options.log.warn({ code: error.code }, "the relay refused a request");
    this.#options.onFault(error);
  }

  #handle({ header, parts }: RelayFrame): Promise<void> | void {
    switch (header.type) {
      case "job":
        return this.#takeJob(header, parts);
      case "log-grew":
        return header.log === "key" ? this.#grow(header.from, parts) : undefined;
      case "checkpoint":
        return this.#takeCheckpoint(parts);
      case "device-entries":
        return this.#takeDeviceEntries(parts);
      default:
        this.#options.log.warn({ type: header.type }, "frame not expected");
        return undefined;
    }
  }

  #takeJob({ job, watched }: { job: string; watched: boolean }, parts: readonly Uint8Array[]): void {
    const [envelope, wrap, body] = parts;
    if (envelope === undefined || wrap === undefined || body === undefined)
      return this.#connection.close("a job without its parts");
    this.#judge(job, { envelope, wrap, body }, { watched, asked: false });
  }

  #judge(job: string, delivery: Delivery, { watched, asked }: { watched: boolean; asked: boolean }): void {
    const reception = this.#options.jobs.receive(delivery, { watched, asked });
    if (reception.type === "behind") {
      return this.#enqueue(async () => {
        await this.#follow(reception.seq);
        this.#judge(job, delivery, { watched, asked: true });
      });
    }
    const isUnanswered = "refused" in reception && !reception.isAnswered;
    this.#connection.send({ type: "taken", job, ...(isUnanswered ? { refused: reception.refused } : {}) });
    if ("refused" in reception) this.#options.onChange();
  }

  /** Fetches the key log. What the relay cannot give or gives wrongly is logged; a job that needed it is then refused by its check. */
  async #follow(seq: number): Promise<void> {
    const { owned, now, log } = this.#options;
    const before = owned.keyState;
    try {
      await fetchKeyLog(owned, { connection: this.#connection, seq, now });
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof RelayFailure)) throw error;
      log.warn({ code: error.code, message: error.message }, "the key log could not be followed");
    } finally {
      this.#tellOfKeysSince(before);
    }
  }

  async #grow(from: number, entries: readonly Uint8Array[]): Promise<void> {
    const { owned, now } = this.#options;
    const before = owned.keyState;
    try {
      takeKeyEntries(owned, { entries, admit: await loadAdmission(), now: now() });
    } catch (error) {
      if (!(error instanceof Refusal && error.code === "log-gap")) throw error;
      await this.#follow(from + entries.length - 1);
    } finally {
      // Also where an entry was refused after others had been taken.
      this.#tellOfKeysSince(before);
    }
  }

  /** What is known of the keys now is on the disk: jobs, owner and status hear of it. */
  #tellOfKeysSince(before: KeyLogState): void {
    const { owned, jobs, reports, onChange } = this.#options;
    if (owned.keyState === before) return;
    jobs.keysChanged();
    reports.wake();
    onChange();
  }

  async #takeCheckpoint([bytes]: readonly Uint8Array[]): Promise<void> {
    if (bytes === undefined) return;
    const { owned, now } = this.#options;
    const { checkpoint, operator, place } = readCheckpoint(bytes, keyLogView(owned.state, owned.keyState));
    if (place === "ahead") await this.#follow(checkpoint.keyHead.seq);
    // One that is dated ahead would vouch for a time that has not come (SPEC 4.5).
    if (checkpoint.time > now() + MAX_CLOCK_AHEAD_MS) return;
    // One that comes again must not cost the disk anything.
    if (checkpoint.time <= (readVouches(owned.state).get(operator) ?? 0)) return;
    owned.write("vouch", (state) => {
      addVouch(state, operator, checkpoint.time);
      raiseFloor(state, checkpoint.time, now());
    });
  }

  #takeDeviceEntries(entries: readonly Uint8Array[]): void {
    const { owned, now, onChange } = this.#options;
    takeDeviceEntries(owned, { entries, now: now(), onRefused: (refusal) => this.#failed(refusal) });
    onChange();
  }

  async #enrol(): Promise<void> {
    const { enrolment } = this.#options.owned.owner;
    const proof = enrolment.proof === undefined ? {} : { proof: toBase64url(enrolment.proof) };
    try {
      await this.#connection.request({ type: "enrol", ...proof }, [enrolment.request]);
      this.#options.log.info("enrolment sent");
    } catch (error) {
      if (!(error instanceof RelayFailure)) throw error;
      this.#connection.close(`enrolment refused: ${error.message}`, ENROLMENT_REFUSED);
    }
  }

  /** A moment after connecting, then daily, until the connection ends. */
  async #keepInventory(): Promise<void> {
    const { owned, agent, now, log, inventoryCommand, environment } = this.#options;
    const { signal } = this.#ended;
    for (let waitMs = INVENTORY_DELAY_MS; !signal.aborted; waitMs = INVENTORY_EVERY_MS) {
      try {
        await sleep(waitMs, undefined, { signal });
        const bytes = await environment.containment.outside(() =>
          takeInventory(inventoryCommand, { owner: owned.owner, agent: agent.text, now }, signal),
        );
        await this.#connection.request({ type: "inventory" }, [bytes]);
      } catch (error) {
        if (signal.aborted) return;
        log.warn(
          { reason: error instanceof Error ? error.message.slice(0, 200) : "unknown" },
          "no inventory this time",
        );
      }
    }
  }
}
