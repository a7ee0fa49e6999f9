// Live output of one running job to whoever watches: sealed, in order, and never a burden. What the line cannot take is
// left out and counted; the receipt's result has what was kept.
import { LIVE_BYTES, openLive, sealLive } from "../protocol/output.ts";
import type { Stream } from "../protocol/outcome.ts";
import { CONTENT_KEY_BYTES, type Random } from "../protocol/seal.ts";
import { MAX_LIVE_BUFFER_BYTES } from "./limits.ts";
import type { RelayConnection } from "./relay-connection.ts";

export type LiveTarget = { readonly job: string; readonly statement: string; readonly readers: readonly string[] };

export class LiveOutput {
  readonly #target: LiveTarget;
  readonly #random: Random;
  readonly #connection: () => RelayConnection | undefined;
  #contentKey: Uint8Array | undefined;
  #index = 0;
  #skipped = 0;

  constructor(target: LiveTarget, random: Random, connection: () => RelayConnection | undefined) {
    this.#target = target;
    this.#random = random;
    this.#connection = connection;
  }

  /** Somebody watches from now on. A second call changes nothing. */
  watch(): void {
    const { readers, statement } = this.#target;
    if (this.#contentKey !== undefined || readers.length === 0) return;
    const contentKey = this.#random(CONTENT_KEY_BYTES);
    this.#send(openLive(contentKey, { readers, statement, random: this.#random }));
    this.#contentKey = contentKey;
  }

  add(stream: Stream, bytes: Uint8Array): void {
    const connection = this.#connection();
    if (this.#contentKey === undefined || connection === undefined || connection.backlog > MAX_LIVE_BUFFER_BYTES) {
      this.#skipped += bytes.length;
      return;
    }
    this.#saySkipped(this.#contentKey);
    for (let at = 0; at < bytes.length; at += LIVE_BYTES) {
      const chunk = bytes.subarray(at, at + LIVE_BYTES);
      this.#send(sealLive(this.#contentKey, this.#index, { type: "output", stream, bytes: chunk }));
    }
  }

  /** The job has ended: what was left out at the end is said. */
  end(): void {
    if (this.#contentKey !== undefined) this.#saySkipped(this.#contentKey);
  }

  #saySkipped(contentKey: Uint8Array): void {
    if (this.#skipped === 0) return;
    this.#send(sealLive(contentKey, this.#index, { type: "skipped", bytes: this.#skipped }));
    this.#skipped = 0;
  }

  #send(part: Uint8Array): void {
    this.#connection()?.send({ type: "live", job: this.#target.job, index: this.#index }, [part]);
    this.#index++;
  }
}
