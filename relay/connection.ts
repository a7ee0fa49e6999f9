// One socket of a peer: frames in at a bounded rate, frames out to a bounded backlog, and an end to either side's silence.
import type { WebSocket } from "ws";
import { type Frame, readFrame, writeFrame } from "../protocol/frame.ts";
import { Refusal, refuse } from "../protocol/refusal.ts";
import type { JsonObject } from "../protocol/strict-json.ts";
import { Bucket } from "./bucket.ts";
import {
  BYTE_BURST,
  BYTES_PER_SECOND,
  CLOSE_TIMEOUT_MS,
  MAX_MESSAGE_DEBT,
  MAX_UNSENT_BYTES,
  MESSAGE_BURST,
  MESSAGES_PER_SECOND,
  SLOW_PEER_BYTES,
} from "./limits.ts";
import { Trouble } from "./trouble.ts";

/** Close codes of RFC 6455 7.4.1. */
export const CLOSE = { goingAway: 1001, unsupported: 1003, policy: 1008, internal: 1011 } as const;

export type ConnectionOptions = {
  readonly socket: WebSocket;
  /** Where the peer dials from, for limits and logs. */
  readonly address: string;
  /** What the peer must sign in its login, and the TLS exporter where the relay sees it. */
  readonly challenge: string;
  readonly channel: string | undefined;
  /** A monotonic clock. */
  readonly ticks: () => number;
  /** Every failure of ours or of the peer's, before it is answered. */
  readonly onFailure: (error: unknown) => void;
};

export type FrameHandler = (frame: Frame) => void;

export class Connection {
  readonly address: string;
  readonly challenge: string;
  readonly channel: string | undefined;
  readonly #options: ConnectionOptions;
  readonly #messages: Bucket;
  readonly #bytes: Bucket;
  readonly #closing: (() => void)[] = [];
  readonly #waiting: Uint8Array[] = [];
  #handler: FrameHandler | undefined;
  #heardAtMs: number;
  #pause: NodeJS.Timeout | undefined;
  #cut: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.address = options.address;
    this.challenge = options.challenge;
    this.channel = options.channel;
    this.#heardAtMs = options.ticks();
    this.#messages = new Bucket({ burst: MESSAGE_BURST, perSecond: MESSAGES_PER_SECOND }, this.#heardAtMs);
    this.#bytes = new Bucket({ burst: BYTE_BURST, perSecond: BYTES_PER_SECOND }, this.#heardAtMs);
    this.#listen();
  }

  /** From now on frames go here. What it throws ends the connection, with the code of a refusal or trouble. */
  onFrame(handler: FrameHandler): void {
    this.#handler = handler;
  }

  /** Called once when the connection is gone, whoever ended it. */
  onClose(listener: () => void): void {
    this.#closing.push(listener);
  }

  get unsentBytes(): number {
    return this.#options.socket.bufferedAmount;
  }

  /** Whether so much is unsent that it is not read, and told nothing that it can do without. */
  get isSlow(): boolean {
    return this.unsentBytes > SLOW_PEER_BYTES;
  }

  get isOpen(): boolean {
    return !this.#ended;
  }

  /** Sends a frame; a peer that has let too much pile up is cut. */
  send(header: JsonObject, parts: readonly Uint8Array[] = []): void {
    const { socket } = this.#options;
    if (this.#ended || socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_UNSENT_BYTES) return this.cut();
    socket.send(writeFrame(header, parts), { binary: true }, (error) => {
      if (error === undefined || error === null) this.#onDrain();
    });
    if (this.isSlow) socket.pause();
  }

  /** Says why and closes. A failure that is neither a refusal nor trouble is ours, and is not told. */
  end(error: unknown): void {
    if (this.#ended) return;
    this.send({ type: "failed", ...failureOf(error) });
    this.close(isExpected(error) ? CLOSE.policy : CLOSE.internal);
  }

  close(code: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.socket.resume();
    this.#options.socket.close(code);
    this.#cut = setTimeout(() => this.#options.socket.terminate(), CLOSE_TIMEOUT_MS);
  }

  /** Ends the connection without a word. */
  cut(): void {
    this.#ended = true;
    this.#options.socket.terminate();
  }

  /** Pings, or cuts a peer that has been silent for too long. */
  beat(silenceMs: number): void {
    const { socket, ticks } = this.#options;
    if (ticks() - this.#heardAtMs > silenceMs) return this.cut();
    if (socket.readyState === socket.OPEN) socket.ping();
  }

  #listen(): void {
    const { socket } = this.#options;
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("ping", () => this.#hear());
    socket.on("pong", () => this.#hear());
    socket.on("error", (error) => this.#onSocketError(error));
    socket.on("close", () => this.#onClosed());
  }

  /** An oversized or broken frame, or a reset: `ws` closes after it, so that nothing is left to do but count the former. */
  #onSocketError(error: Error): void {
    const isFrames = "code" in error && typeof error.code === "string" && error.code.startsWith("WS_ERR");
    if (isFrames) this.#options.onFailure(refuse("frame-form", error.message));
  }

  #receive(data: unknown, isBinary: boolean): void {
    if (this.#ended) return;
    this.#hear();
    try {
      if (!isBinary || !(data instanceof Uint8Array)) throw refuse("frame-form", "a text frame");
      this.#meter(data.length);
    } catch (error) {
      return this.#fail(error);
    }
    this.#waiting.push(data);
    this.#handle();
  }

  /** One read of the socket may bring many requests: they wait here while the answers to those before are not taken. */
  #handle(): void {
    while (!this.#ended && !this.isSlow) {
      const frame = this.#waiting.shift();
      if (frame === undefined) return;
      try {
        this.#handler?.(readFrame(frame));
      } catch (error) {
        this.#fail(error);
      }
    }
  }

  #fail(error: unknown): void {
    this.#options.onFailure(error);
    this.end(error);
  }

  /** A peer over its rate is read later; one that is far over it is ended. */
  #meter(bytes: number): void {
    const nowMs = this.#options.ticks();
    const owedMessages = this.#messages.take(1, nowMs);
    if (owedMessages > MAX_MESSAGE_DEBT) throw new Trouble("rate-limited", `${MESSAGES_PER_SECOND} messages a second`);
    const waitMs = Math.max(this.#messages.waitMs(owedMessages), this.#bytes.waitMs(this.#bytes.take(bytes, nowMs)));
    if (waitMs === 0) return;
    this.#options.socket.pause();
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#resumePaid(), waitMs);
  }

  #resumePaid(): void {
    this.#pause = undefined;
    this.#hear();
    if (!this.isSlow) this.#options.socket.resume();
  }

  /** A frame has left. While the peer is not read, that is the sign that it lives. */
  #onDrain(): void {
    if (!this.#options.socket.isPaused) return;
    this.#hear();
    this.#handle();
    if (this.#pause === undefined && !this.isSlow) this.#options.socket.resume();
  }

  #hear(): void {
    this.#heardAtMs = this.#options.ticks();
  }

  #onClosed(): void {
    this.#ended = true;
    clearTimeout(this.#pause);
    clearTimeout(this.#cut);
    for (const listener of this.#closing.splice(0)) listener();
  }
}

const MAX_MESSAGE_CHARS = 400;

/** What a peer is told of a failure: a refusal's or trouble's code and message, and nothing of a fault of ours. */
export function failureOf(error: unknown): { readonly code: string; readonly message: string } {
  if (!isExpected(error)) return { code: "busy", message: "the relay failed; its log says why" };
  const message = error instanceof Refusal ? `${error.sentence}: ${error.detail}` : error.message;
  return { code: error.code, message: message.toWellFormed().slice(0, MAX_MESSAGE_CHARS).toWellFormed() };
}

export function isExpected(error: unknown): error is Refusal | Trouble {
  return error instanceof Refusal || error instanceof Trouble;
}
