// One connection to a relay: dial, log in, ask and be answered, be pushed to. Nothing that comes over it is believed here.
import { TLSSocket } from "node:tls";
import { type ClientOptions, WebSocket } from "ws";
import { toBase64url } from "../../protocol/bytes.ts";
import { readFrame, writeFrame } from "../../protocol/frame.ts";
import { MAX_FRAME_BYTES, SILENCE_MS } from "../../protocol/limits.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { signLogin } from "../../protocol/relay-login.ts";
import type { Signer } from "../../protocol/signature.ts";
import type { JsonObject } from "../../protocol/strict-json.ts";
import { readHeader, ToOperator } from "../../protocol/wire.ts";
import { Fault } from "../fault.ts";
import { dialFault, refusedBy } from "./relay-fault.ts";
import { type Line, lineTo } from "./relay-line.ts";
import type { ProxyWorld } from "./counting-proxy.ts";
import { ANSWER_TIMEOUT_MS, CONNECT_TIMEOUT_MS } from "../limits.ts";

type Kind = ToOperator["type"];
type HeaderOf<K extends Kind> = Extract<ToOperator, { type: K }>;
/** A frame that came: its header, and parts that nobody has judged. */
export type Message<K extends Kind = Kind> = { readonly header: HeaderOf<K>; readonly parts: readonly Uint8Array[] };
type Parts = readonly Uint8Array[];

type Waiting = { readonly resolve: (message: Message) => void; readonly reject: (error: Error) => void };

export type Login = {
  readonly tenant: string;
  readonly role: "operator" | "access" | "newcomer";
  readonly signer: Signer;
  /** For the role `access`: the grant's envelope. */
  readonly grant?: Uint8Array;
  readonly now: number;
};

/** Ends with `close`; any end of the connection rejects what is waited for with a fault. */
export class RelayClient {
  readonly url: string;
  readonly #line: ClientOptions;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #greeting: Message[] = [];
  #greeted: Waiting | undefined;
  #listener: ((message: Message) => void) | undefined;
  #heldPushes: Message[] = [];
  #onEnd: ((fault: Error) => void) | undefined;
  #ended: Error | undefined;
  #nextRid = 1;
  #heartbeat: NodeJS.Timeout | undefined;
  #heard = true;
  #tls: TLSSocket | undefined;

  private constructor(url: string, { options, words }: Line) {
    this.url = url;
    this.#line = options;
    const socket = openSocket(url, this.#line);
    this.#socket = socket;
    socket.on("upgrade", ({ socket: line }) => (this.#tls = line instanceof TLSSocket ? line : undefined));
    socket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on("ping", () => (this.#heard = true));
    socket.on("pong", () => (this.#heard = true));
    socket.on("error", (error) => this.#end(dialFault(error, url, words)));
    socket.on("close", () => this.#end(new Fault("relay-unreachable", `${url} ended the connection`)));
  }

  /** Dials, through a proxy where one counts (counting-proxy.ts), and waits for the relay's hello. Throws `relay-unreachable`, `relay-tls` or `proxy-*`. */
  static async dial(url: string, world: ProxyWorld): Promise<{ client: RelayClient; hello: HeaderOf<"hello"> }> {
    const client = new RelayClient(url, await lineTo(url, world));
    try {
      const { header } = await client.#greetingOf("hello");
      client.#startHeartbeat();
      return { client, hello: header };
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Logs in over this connection's challenge. The welcome's heads are the relay's word. Throws the relay's refusal. */
  async logIn(hello: HeaderOf<"hello">, { tenant, role, signer, grant, now }: Login): Promise<HeaderOf<"welcome">> {
    const channel = hello.channel ? this.#channelBinding() : undefined;
    const login = {
      tenant,
      role,
      sig: toBase64url(signer.publicKey),
      relay: new URL(this.url).host,
      challenge: hello.challenge,
      ...(channel === undefined ? {} : { channel }),
      time: now,
    };
    this.#send({ type: "login" }, [signLogin(login, signer), ...(grant === undefined ? [] : [grant])]);
    return (await this.#greetingOf("welcome")).header;
  }

  /** Sends a request and waits for its answer of this kind. Throws the relay's refusal as `Refusal` or `Fault`. */
  async ask<K extends Kind>(kind: K, header: JsonObject, parts: Parts = []): Promise<Message<K>> {
    const rid = this.#nextRid++;
    const answer = new Promise<Message>((resolve, reject) => this.#waiting.set(rid, { resolve, reject }));
    const timer = setTimeout(
      () => this.#end(new Fault("relay-unreachable", `${this.url}: no answer`)),
      ANSWER_TIMEOUT_MS,
    );
    try {
      this.#send({ ...header, rid }, parts);
      return expectKind(await answer, kind);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(rid);
    }
  }

  /** Says something that has no answer; lost where the connection has ended. */
  tell(header: JsonObject): void {
    if (this.#ended === undefined) this.#send(header, []);
  }

  /** Pushes that have come and that nobody has listened to yet; they are not handed over again. */
  takePushes(): readonly Message[] {
    return this.#heldPushes.splice(0);
  }

  /** Hands over pushes, those that came before at once; `onEnd` is called when the connection ends of itself. */
  listen(listener: (message: Message) => void, onEnd: (fault: Error) => void): void {
    this.#listener = listener;
    this.#onEnd = onEnd;
    for (const message of this.#heldPushes.splice(0)) listener(message);
    if (this.#ended !== undefined) onEnd(this.#ended);
  }

  /** Ends the connection without a word to its listener. */
  close(): void {
    this.#onEnd = undefined;
    this.#end(new Fault("relay-unreachable", `${this.url}: closed here`));
  }

  #send(header: JsonObject, parts: Parts): void {
    if (this.#ended !== undefined) throw this.#ended;
    this.#socket.send(writeFrame(header, parts));
  }

  /** RFC 9266: the login is good on this TLS connection only. */
  #channelBinding(): string | undefined {
    if (this.#tls === undefined) return undefined;
    return toBase64url(this.#tls.exportKeyingMaterial(32, "EXPORTER-keybound-relay-login", Buffer.alloc(0)));
  }

  #onMessage(data: unknown, isBinary: boolean): void {
    this.#heard = true;
    try {
      if (!isBinary || !(data instanceof Uint8Array)) throw new Fault("relay-odd", "a frame that is not binary");
      const { header, parts } = readFrame(data);
      this.#dispatch({ header: readHeader(ToOperator, header), parts });
    } catch (error) {
      if (error instanceof Refusal) this.#end(new Fault("relay-odd", error.message, { cause: error }));
      else if (error instanceof Error) this.#end(error);
      else throw error;
    }
  }

  #dispatch(message: Message): void {
    const { header } = message;
    if ("rid" in header && header.rid !== undefined) {
      const waiting = this.#waiting.get(header.rid);
      if (header.type === "failed") waiting?.reject(refusedBy(header));
      else waiting?.resolve(message);
    } else if (header.type === "failed") this.#end(refusedBy(header));
    else if (header.type === "hello" || header.type === "welcome") this.#greet(message);
    else if (this.#listener === undefined) this.#holdPush(message);
    else this.#listener(message);
  }

  // Before anybody listens only a few pushes can matter; a relay that sends more loses the oldest.
  #holdPush(message: Message): void {
    this.#heldPushes.push(message);
    if (this.#heldPushes.length > 4096) this.#heldPushes.shift();
  }

  #greet(message: Message): void {
    if (this.#greeted === undefined) this.#greeting.push(message);
    else this.#greeted.resolve(message);
  }

  async #greetingOf<K extends "hello" | "welcome">(kind: K): Promise<Message<K>> {
    const before = this.#greeting.shift();
    if (before !== undefined) return expectKind(before, kind);
    if (this.#ended !== undefined) throw this.#ended;
    const late = new Fault("relay-unreachable", `${this.url} said nothing for ${CONNECT_TIMEOUT_MS / 1000} s`);
    const timer = setTimeout(() => this.#end(late), CONNECT_TIMEOUT_MS);
    try {
      const came = new Promise<Message>((resolve, reject) => (this.#greeted = { resolve, reject }));
      return expectKind(await came, kind);
    } finally {
      clearTimeout(timer);
      this.#greeted = undefined;
    }
  }

  /** A relay pings; silence means a line that has died. */
  #startHeartbeat(): void {
    this.#heartbeat = setInterval(() => {
      if (!this.#heard) this.#end(new Fault("relay-unreachable", `${this.url} fell silent`));
      else this.#socket.ping();
      this.#heard = false;
    }, SILENCE_MS / 2);
  }

  #end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    clearInterval(this.#heartbeat);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#greeted?.reject(error);
    this.#onEnd?.(error);
    // A connection that is still being dialled ends by an error event; this client has had its end.
    this.#socket.terminate();
    this.#line.agent?.destroy();
  }
}

function openSocket(url: string, line: ClientOptions): WebSocket {
  const path = new URL(`${url.replace(/\/$/, "")}/keybound/v1`);
  return new WebSocket(path, {
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    ...line,
  });
}

function expectKind<K extends Kind>(message: Message, kind: K): Message<K> {
  if (isKind(message, kind)) return message;
  throw new Fault("relay-odd", `${message.header.type} where ${kind} was asked for`);
}

/** Whether a message is of this kind. */
export function isKind<K extends Kind>(message: Message, kind: K): message is Message & Message<K> {
  return message.header.type === kind;
}

/** A part that has to be there. */
export function partAt(parts: Parts, index: number): Uint8Array {
  const part = parts[index];
  if (part === undefined) throw new Fault("relay-odd", `an answer with ${parts.length} parts`);
  return part;
}

/** A relay's address as it may be dialled; `undefined` for anything else. */
export function readRelayUrl(spelling: string): string | undefined {
  const trimmed = spelling.replace(/\/+$/, "");
  if (!/^wss?:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~/-]*)?$/.test(trimmed)) return undefined;
  return URL.canParse(trimmed) ? trimmed : undefined;
}
