// A peer of a relay at the level of frames: it dials, answers the challenge as one says, and keeps what comes until it is asked for.
import { TLSSocket } from "node:tls";
import { WebSocket } from "ws";
import { toBase64url } from "../../protocol/bytes.ts";
import { type Frame, readFrame, writeFrame } from "../../protocol/frame.ts";
import type { JsonObject } from "../../protocol/strict-json.ts";
import type { Signer } from "../../protocol/signature.ts";
import { type Device, enrolmentOf } from "./device.ts";
import { clientOf, grantOf, loginOf } from "./login.ts";
import type { Person } from "./person.ts";
import type { Overrides } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

const PATIENCE_MS = 30_000;

type Waiter = { readonly fits: (frame: Frame) => boolean; readonly give: (frame: Frame) => void };

export class WireClient {
  readonly url: string;
  readonly socket: WebSocket;
  /** The close code, once it is closed. */
  readonly closed: Promise<number>;
  readonly frames: Frame[] = [];
  readonly #waiters = new Set<Waiter>();
  hello: Frame = { header: {}, parts: [] };
  #rid = 0;
  #channel: string | undefined;

  constructor(url: string, { ca }: { readonly ca?: string } = {}) {
    this.url = url;
    const trust = ca === undefined ? {} : { ca };
    this.socket = new WebSocket(`${url}/keybound/v1`, { perMessageDeflate: false, ...trust });
    this.socket.on("upgrade", ({ socket }) => {
      if (!(socket instanceof TLSSocket)) return;
      this.#channel = toBase64url(socket.exportKeyingMaterial(32, "EXPORTER-keybound-relay-login", Buffer.alloc(0)));
    });
    const { promise, resolve } = Promise.withResolvers<number>();
    this.closed = promise;
    this.socket.on("close", resolve);
    // A refused dial shows in `closed` and in waits that end; an error is nothing more than that.
    this.socket.on("error", () => undefined);
    this.socket.on("message", (data) => this.#take(data));
  }

  /** Dials and waits for the relay's hello. */
  static async dial(url: string, options: { readonly ca?: string } = {}): Promise<WireClient> {
    const client = new WireClient(url, options);
    client.hello = await client.next("hello");
    return client;
  }

  get challenge(): string {
    const challenge = this.hello.header["challenge"];
    if (typeof challenge !== "string") throw new Error("the relay gave no challenge");
    return challenge;
  }

  /** The TLS exporter of this connection, base64url. */
  get channel(): string | undefined {
    return this.#channel;
  }

  send(header: JsonObject, parts: readonly Uint8Array[] = []): void {
    this.socket.send(writeFrame(header, parts));
  }

  /** Sends a request under a number of its own, and answers its answer. */
  async request(header: JsonObject, parts: readonly Uint8Array[] = []): Promise<Frame> {
    const rid = ++this.#rid;
    this.send({ ...header, rid }, parts);
    return this.#wait((frame) => frame.header["rid"] === rid, `answer to ${JSON.stringify(header)}`);
  }

  /** As `request`, and throws unless the answer is `ok`. */
  async done(header: JsonObject, parts: readonly Uint8Array[] = []): Promise<void> {
    const answer = await this.request(header, parts);
    if (answer.header["type"] !== "ok") throw new Error(`answered ${JSON.stringify(answer.header)}`);
  }

  /** The next frame of this type that was not asked for before, come or coming. */
  next(type: string): Promise<Frame> {
    return this.#wait((frame) => frame.header["type"] === type, type);
  }

  /** Frames of this type that have come and were not asked for. */
  waiting(type: string): readonly Frame[] {
    return this.frames.filter(({ header }) => header["type"] === type);
  }

  /** Signs in with this key; the answer is the relay's welcome, or why not. */
  async logIn(tenant: Tenant, signer: Signer, over: Overrides = {}, grant?: Uint8Array): Promise<Frame> {
    const channel = this.hello.header["channel"] === true ? this.#channel : undefined;
    const own = { relay: new URL(this.url).host, challenge: this.challenge, channel };
    this.send({ type: "login" }, [
      loginOf(tenant, signer, { ...own, ...over }),
      ...(grant === undefined ? [] : [grant]),
    ]);
    return this.#wait(({ header }) => header["type"] === "welcome" || header["type"] === "failed", "welcome");
  }

  close(): Promise<number> {
    this.socket.close();
    return this.closed;
  }

  #take(data: unknown): void {
    if (!(data instanceof Uint8Array)) throw new Error("the relay sent something else than bytes");
    const frame = readFrame(data);
    const waiter = [...this.#waiters].find(({ fits }) => fits(frame));
    if (waiter === undefined) {
      this.frames.push(frame);
      return;
    }
    // At once: the next frame may come in the same turn, and is for whoever asks next.
    this.#waiters.delete(waiter);
    waiter.give(frame);
  }

  async #wait(fits: (frame: Frame) => boolean, what: string): Promise<Frame> {
    const at = this.frames.findIndex(fits);
    const [found] = at < 0 ? [] : this.frames.splice(at, 1);
    if (found !== undefined) return found;
    const { promise, resolve, reject } = Promise.withResolvers<Frame>();
    const waiter = { fits, give: resolve };
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${PATIENCE_MS} ms`)), PATIENCE_MS);
    const gone = this.closed.then((code) => reject(new Error(`closed with ${code} before ${what}`)));
    this.#waiters.add(waiter);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
      gone.catch(() => undefined);
    }
  }
}

/** A client that a person's own key has logged in. */
export async function operatorAt(url: string, tenant: Tenant, who: Person = tenant.founder): Promise<WireClient> {
  const client = await WireClient.dial(url);
  expectWelcome(await client.logIn(tenant, who.signer, { role: "operator" }));
  return client;
}

/** A person's client that has logged in by its own key and a grant. */
export async function accessAt(
  url: string,
  tenant: Tenant,
  who: Person,
  grantOver: Overrides = {},
): Promise<WireClient> {
  const client = await WireClient.dial(url);
  const grant = grantOf(tenant, who, grantOver);
  expectWelcome(await client.logIn(tenant, clientOf(who).signer, { role: "access" }, grant));
  return client;
}

/** A device that has logged in, and has enrolled if it had not. */
export async function deviceAt(url: string, tenant: Tenant, of: Device): Promise<WireClient> {
  const client = await WireClient.dial(url);
  const welcome = expectWelcome(await client.logIn(tenant, of.signer));
  if (welcome.header["enrolled"] === false) await client.done({ type: "enrol" }, [enrolmentOf(of, tenant).request]);
  return client;
}

function expectWelcome(frame: Frame): Frame {
  if (frame.header["type"] !== "welcome") throw new Error(`not welcome: ${JSON.stringify(frame.header)}`);
  return frame;
}
