// One connection to one relay: dialled, logged in, watched for silence, closed once. It moves frames and believes none of them.
import { TLSSocket } from "node:tls";
import type { Socket } from "node:net";
import { type ClientOptions, WebSocket } from "ws";
import { toBase64url } from "../../protocol/bytes.ts";
import { readFrame, writeFrame } from "../../protocol/frame.ts";
import { MAX_FRAME_BYTES, SILENCE_MS } from "../../protocol/limits.ts";
import { dialWords } from "../../protocol/proxy-choice.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { signLogin } from "../../protocol/relay-login.ts";
import type { Signer } from "../../protocol/signature.ts";
import type { JsonObject } from "../../protocol/strict-json.ts";
import { readHeader, ToDevice } from "../../protocol/wire.ts";
import { ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS } from "../limits.ts";

export type Identity = { readonly tenant: string; readonly signer: Signer };

export type RelayFrame = { readonly header: ToDevice; readonly parts: readonly Uint8Array[] };

export type RelayEvents = {
  /** The login was taken. */
  readonly onOpen: (welcome: Extract<ToDevice, { type: "welcome" }>) => void;
  /** Anything that is no answer to a request. */
  readonly onFrame: (frame: RelayFrame) => void;
  /** Called once, whether it was ever open or not. `code` is the relay's word where it turned us away. */
  readonly onClose: (reason: { readonly text: string; readonly code?: string }) => void;
};

/** A relay's `failed` as an answer to a request. */
export class RelayFailure extends Error {
  override readonly name = "RelayFailure";
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }

  /** A relay that is full or busy says so of itself, not of what it was given. */
  get isForNow(): boolean {
    return FOR_NOW.includes(this.code);
  }
}

const FOR_NOW: readonly string[] = ["busy", "quota", "rate-limited"];

/** The connection ended before an answer came. `code` is the relay's word where it ended it. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

type Pending = {
  readonly resolve: (frame: RelayFrame) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
};

const PING_EVERY_MS = SILENCE_MS / 3;
const EXPORTER_LABEL = "EXPORTER-keybound-relay-login";

export class RelayConnection {
  /** As it was dialled. */
  readonly relay: string;
  readonly #socket: WebSocket;
  readonly #line: ClientOptions;
  readonly #url: URL;
  readonly #identity: Identity;
  readonly #events: RelayEvents;
  readonly #now: () => number;
  readonly #pending = new Map<number, Pending>();
  readonly #heartbeat: NodeJS.Timeout;
  #connecting: NodeJS.Timeout | undefined;
  #stream: Socket | undefined;
  #rid = 0;
  #heardAt: number;
  #isOpen = false;
  #isClosed = false;

  /** `line` is how to reach it: `lineTo`. */
  constructor(url: string, identity: Identity, events: RelayEvents, now: () => number, line: ClientOptions = {}) {
    this.relay = url;
    this.#url = new URL(url);
    this.#line = line;
    this.#identity = identity;
    this.#events = events;
    this.#now = now;
    this.#heardAt = now();
    this.#socket = new WebSocket(`${url.replace(/\/$/, "")}/keybound/v1`, {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      followRedirects: false,
      ...line,
    });
    this.#socket.binaryType = "nodebuffer";
    this.#connecting = setTimeout(() => this.close("no login within the time limit"), CONNECT_TIMEOUT_MS);
    this.#heartbeat = setInterval(() => this.#beat(), PING_EVERY_MS);
    this.#listen();
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#isClosed;
  }

  /** Bytes that wait in the socket. */
  get backlog(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends without an answer; lost where the connection is not open. `onSent` is called once the system has taken it. */
  send(header: JsonObject, parts: readonly Uint8Array[] = [], onSent?: () => void): void {
    if (this.isOpen) this.#socket.send(writeFrame(header, parts), (error) => error ?? onSent?.());
  }

  /** Sends and waits for the answer. Rejects with `RelayFailure`, or `ConnectionLost` where the connection ends first. */
  request(header: JsonObject, parts: readonly Uint8Array[] = []): Promise<RelayFrame> {
    if (!this.isOpen) return Promise.reject(new ConnectionLost("not connected"));
    const rid = ++this.#rid;
    const { promise, resolve, reject } = Promise.withResolvers<RelayFrame>();
    const timer = setTimeout(() => this.close("an answer did not come in time"), ANSWER_TIMEOUT_MS);
    this.#pending.set(rid, { resolve, reject, timer });
    this.#socket.send(writeFrame({ ...header, rid }, parts));
    return promise;
  }

  close(text: string, code?: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#connecting);
    clearInterval(this.#heartbeat);
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new ConnectionLost(text, code));
    }
    this.#pending.clear();
    // Not close(): a half-open peer would keep the socket for another half minute.
    this.#socket.terminate();
    this.#line.agent?.destroy();
    this.#events.onClose(code === undefined ? { text } : { text, code });
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("upgrade", (response) => {
      this.#stream = response.socket;
      this.#stream.setNoDelay(true);
    });
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("ping", () => this.#heard());
    socket.on("pong", () => this.#heard());
    socket.on("close", (code) => this.close(`closed by the relay with ${code}`));
    socket.on("error", (error) => this.close(dialWords(error.message)));
  }

  #heard(): void {
    this.#heardAt = this.#now();
  }

  #beat(): void {
    const silence = this.#now() - this.#heardAt;
    // A clock that jumped makes the silence negative or huge; a negative one starts anew, a huge one costs one reconnect.
    if (silence < 0) this.#heard();
    if (silence > SILENCE_MS) this.close(`silent for ${silence} ms`);
    else if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #receive(data: unknown, isBinary: boolean): void {
    this.#heard();
    try {
      if (!isBinary || !(data instanceof Uint8Array)) return this.close("a frame that is not binary");
      const { header, parts } = readFrame(data);
      this.#dispatch({ header: readHeader(ToDevice, header), parts });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.close(error.message, error.code);
    }
  }

  #dispatch(frame: RelayFrame): void {
    const { header } = frame;
    if ("rid" in header && header.rid !== undefined) return this.#answer(header.rid, frame);
    if (header.type === "failed") return this.close(header.message, header.code);
    if (this.#isOpen !== (header.type !== "hello" && header.type !== "welcome")) {
      return this.close(`${header.type} at the wrong time`);
    }
    if (header.type === "hello") return this.#login(header);
    if (header.type !== "welcome") return this.#events.onFrame(frame);
    clearTimeout(this.#connecting);
    this.#isOpen = true;
    this.#events.onOpen(header);
  }

  #answer(rid: number, frame: RelayFrame): void {
    const pending = this.#pending.get(rid);
    if (pending === undefined) return;
    this.#pending.delete(rid);
    clearTimeout(pending.timer);
    if (frame.header.type === "failed") pending.reject(new RelayFailure(frame.header.code, frame.header.message));
    else pending.resolve(frame);
  }

  #login(hello: Extract<ToDevice, { type: "hello" }>): void {
    const channel = hello.channel ? this.#exporter() : undefined;
    const { tenant, signer } = this.#identity;
    const login = signLogin(
      {
        tenant,
        role: "device",
        sig: toBase64url(signer.publicKey),
        relay: this.#url.host,
        challenge: hello.challenge,
        ...(channel === undefined ? {} : { channel }),
        time: this.#now(),
      },
      signer,
    );
    this.#socket.send(writeFrame({ type: "login" }, [login]));
  }

  /** RFC 9266: a value that only the two ends of this TLS connection know. */
  #exporter(): string | undefined {
    if (!(this.#stream instanceof TLSSocket)) return undefined;
    return toBase64url(this.#stream.exportKeyingMaterial(32, EXPORTER_LABEL, Buffer.alloc(0)));
  }
}
