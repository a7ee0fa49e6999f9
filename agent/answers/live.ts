// Live output of one running job to whoever watches: sealed, in order, at their pace. A job is held up for it only within bounds;
// beyond them bytes are left out, which their places show, and the receipt's result has what was kept.
import { createHash } from "node:crypto";
import { digest } from "../../protocol/digest.ts";
import { LIVE_BYTES, LIVE_OVERHEAD_BYTES, openLive, sealLive } from "../../protocol/output.ts";
import type { Stream } from "../../protocol/outcome.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { CONTENT_KEY_BYTES, type Random } from "../../protocol/seal.ts";
import {
  LIVE_BACKLOG_BYTES,
  LIVE_GATHER_MS,
  LIVE_LEAST_BYTES,
  LIVE_LEAST_HOLD_MS,
  LIVE_LOOK_MS,
  LIVE_SLOWEST_BYTES_PER_SECOND,
  LIVE_STALL_MS,
  LIVE_WAITING_BYTES,
} from "../limits.ts";
import { LiveBlocks } from "./live-blocks.ts";
import { LivePace } from "./live-pace.ts";
import type { RelayConnection } from "../connection/relay-connection.ts";

export type LiveTarget = {
  readonly job: string;
  readonly statement: string;
  readonly readers: readonly string[];
  /** The job's time limit. */
  readonly timeMs: number;
};

/** A connection as far as live output needs it. */
export type LiveLine = Pick<RelayConnection, "send" | "backlog">;

export type LiveOptions = {
  readonly random: Random;
  /** The connection of the moment. */
  readonly connection: () => LiveLine | undefined;
  /** A monotonic clock. */
  readonly ticks: () => number;
  /** Stops reading what the job writes, which stops its writing, or goes on. */
  readonly hold: (isHeld: boolean) => void;
};

export class LiveOutput {
  readonly #target: LiveTarget;
  readonly #options: LiveOptions;
  readonly #pace: LivePace;
  readonly #blocks = new LiveBlocks();
  readonly #written: Record<Stream, number> = { stdout: 0, stderr: 0 };
  readonly #sum = createHash("sha256");
  #sealing: { readonly contentKey: Uint8Array; readonly wraps: Uint8Array } | undefined;
  #line: LiveLine | undefined;
  #index = 1;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;

  constructor(target: LiveTarget, options: LiveOptions) {
    this.#target = target;
    this.#options = options;
    this.#pace = new LivePace({
      stallMs: LIVE_STALL_MS,
      slowestPerSecond: LIVE_SLOWEST_BYTES_PER_SECOND,
      // A job that takes half of its time limit by itself still ends within it.
      totalMs: target.timeMs / 2,
      leastMs: LIVE_LEAST_HOLD_MS,
    });
  }

  /** Somebody watches over the connection of the moment. Again on the same connection it changes nothing. */
  watch(): void {
    const line = this.#options.connection();
    if (line === undefined || line === this.#line || this.#target.readers.length === 0) return;
    // A relay that does not read what it asks for again and again gets no more of it.
    if (line.backlog > LIVE_WAITING_BYTES) return;
    this.unwatch();
    this.#sealing ??= this.#open();
    this.#line = line;
    line.send({ type: "live", job: this.#target.job, index: 0 }, [this.#sealing.wraps]);
    this.#pace.begin();
  }

  /** Nobody watches, or the connection is gone: the job is held up no more. */
  unwatch(): void {
    this.#line = undefined;
    this.#blocks.clear();
    this.#release();
  }

  /** The relay takes bytes up to here. */
  credit(upTo: number): void {
    this.#pace.grant(upTo);
    this.#pump();
  }

  /** The job wrote this. */
  add(stream: Stream, bytes: Uint8Array): void {
    const offset = this.#written[stream];
    this.#written[stream] += bytes.length;
    if (this.#line === undefined) return;
    this.#blocks.add({ stream, offset, bytes });
    // After its exit a job is not held any more, and what it leaves behind may go on writing until it is ended.
    if (this.#blocks.bytes > LIVE_WAITING_BYTES) this.#blocks.clear();
    this.#pump();
  }

  /** The job has ended: what credit there is for is sent. Answers what was streamed; nothing where nobody watched. */
  end(): Receipt["live"] {
    while (this.#blocks.bytes > 0 && this.#hasRoom()) this.#sendNext();
    this.unwatch();
    if (this.#sealing === undefined) return undefined;
    const { wraps } = this.#sealing;
    return { frames: this.#index - 1, wraps: digest(wraps), sha256: this.#sum.digest("base64url") };
  }

  #open(): { contentKey: Uint8Array; wraps: Uint8Array } {
    const { random } = this.#options;
    const { readers, statement } = this.#target;
    const contentKey = random(CONTENT_KEY_BYTES);
    const wraps = openLive(contentKey, { readers, statement, random });
    this.#sum.update(wraps);
    return { contentKey, wraps };
  }

  /** Sends what may be sent now. What is left waits for its moment, for credit or for the line. */
  #pump(): void {
    while (this.#line !== undefined && this.#blocks.bytes > 0) {
      const dueInMs = this.#dueInMs();
      if (dueInMs > 0) return this.#gather(dueInMs);
      if (!this.#hasRoom()) return this.#stall(Number.POSITIVE_INFINITY);
      if (this.#line.backlog > LIVE_BACKLOG_BYTES) return this.#stall(LIVE_LOOK_MS);
      this.#sendNext();
    }
    this.#release();
  }

  /** What comes after a quiet moment goes at once; small pieces that follow closely are gathered. */
  #dueInMs(): number {
    if (this.#blocks.bytes >= LIVE_BYTES) return 0;
    return this.#sentAtMs + LIVE_GATHER_MS - this.#options.ticks();
  }

  #hasRoom(): boolean {
    return this.#pace.room - LIVE_OVERHEAD_BYTES >= Math.min(this.#blocks.next, LIVE_LEAST_BYTES);
  }

  /**
   * Little that waits does so without harm; a frame full of it holds the job, and when that has lasted too long it is left out.
   * It is looked at again after this time at the latest.
   */
  #stall(lookMs: number): void {
    const isLittle = this.#blocks.bytes < LIVE_BYTES;
    const ms = isLittle ? Number.POSITIVE_INFINITY : this.#pace.hold(this.#options.ticks());
    if (ms === 0) this.#blocks.clear();
    if (isLittle || ms === 0) this.#release();
    else this.#setHeld(true);
    if (ms > 0 && Number.isFinite(Math.min(ms, lookMs))) this.#again(Math.min(ms, lookMs));
  }

  #gather(ms: number): void {
    this.#release();
    this.#again(ms);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#pace.release(this.#options.ticks());
    this.#setHeld(false);
  }

  #setHeld(isHeld: boolean): void {
    if (this.#isHeld === isHeld) return;
    this.#isHeld = isHeld;
    this.#options.hold(isHeld);
  }

  #again(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#pump(), Math.ceil(ms));
  }

  #sendNext(): void {
    const chunk = this.#blocks.take(Math.min(LIVE_BYTES, this.#pace.room - LIVE_OVERHEAD_BYTES));
    if (chunk === undefined || this.#sealing === undefined) return;
    const index = this.#index++;
    const sealed = sealLive(this.#sealing.contentKey, index, chunk);
    this.#sum.update(sealed);
    this.#pace.sent(sealed.length);
    this.#sentAtMs = this.#options.ticks();
    const line = this.#line;
    line?.send({ type: "live", job: this.#target.job, index }, [sealed], () => {
      if (line === this.#line) this.#pump();
    });
  }
}
