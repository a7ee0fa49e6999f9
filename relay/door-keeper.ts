// Who is let in and how long they stay: connections from their first byte to their end, their heartbeat, and the two timers.
import type { IncomingMessage } from "node:http";
import type { WebSocket } from "ws";
import { SILENCE_MS } from "../protocol/limits.ts";
import { toBase64url } from "../protocol/bytes.ts";
import { type Address, dialler, isLoopback } from "./address.ts";
import { report } from "./answer.ts";
import { CLOSE, Connection } from "./connection.ts";
import { sweepExpired } from "./deliver.ts";
import { checkTime } from "./from-newcomer.ts";
import { checkAccess } from "./from-operator.ts";
import { EXPIRY_SWEEP_MS, MAX_CONNECTIONS, MAX_STRANGER_BYTES, MAX_STRANGERS, REFUSED_LOGIN_COST } from "./limits.ts";
import { type Certificate, channelOf, type HttpAnswer, Listener } from "./listener.ts";
import { greet } from "./login.ts";
import type { Relay } from "./relay.ts";
import type { RelayOptions } from "./start.ts";

export class DoorKeeper {
  readonly #relay: Relay;
  readonly #options: RelayOptions;
  readonly #listener: Listener;
  readonly #metricsListener: Listener | undefined;
  readonly #connections = new Set<Connection>();
  readonly #timers: NodeJS.Timeout[] = [];
  #strangers = 0;

  constructor(relay: Relay, options: RelayOptions) {
    this.#relay = relay;
    this.#options = options;
    this.#listener = new Listener({
      listen: options.listen,
      certificate: options.certificate,
      turnAway: (request) => this.#turnAway(request),
      onPeer: (socket, request) => this.#admit(socket, request),
      onGet: (request) => this.#get(request, this.#mayReadMetrics(request)),
    });
    this.#metricsListener = options.metricsListen && this.#listenForMetrics(options.metricsListen);
  }

  async open(): Promise<Address> {
    await this.#metricsListener?.open();
    const address = await this.#listener.open();
    const silenceMs = this.#options.silenceMs ?? SILENCE_MS;
    this.#timers.push(setInterval(() => this.#beat(silenceMs), silenceMs / 3));
    this.#timers.push(setInterval(() => this.#sweep(), this.#options.sweepMs ?? EXPIRY_SWEEP_MS));
    return address;
  }

  setCertificate(certificate: Certificate): void {
    this.#listener.setCertificate(certificate);
  }

  /** Lets nobody in any more. */
  stop(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    this.#listener.stop();
    this.#metricsListener?.stop();
  }

  /** Closes every connection, and waits until they are gone. */
  async close(): Promise<void> {
    this.stop();
    const gone = [...this.#connections].map((connection) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      connection.onClose(resolve);
      connection.close(CLOSE.goingAway);
      return promise;
    });
    await Promise.all(gone);
  }

  #turnAway(request: IncomingMessage): "429 Too Many Requests" | "503 Service Unavailable" | undefined {
    const isAllowed = this.#relay.diallers.take(this.#addressOf(request), 1);
    if (isAllowed && this.#connections.size < MAX_CONNECTIONS && this.#strangers < MAX_STRANGERS) return undefined;
    this.#relay.metrics.failure("rate-limited");
    return isAllowed ? "503 Service Unavailable" : "429 Too Many Requests";
  }

  #admit(socket: WebSocket, request: IncomingMessage): void {
    const address = this.#addressOf(request);
    const connection = new Connection({
      socket,
      address,
      challenge: toBase64url(this.#relay.random(32)),
      channel: channelOf(request.socket),
      ticks: this.#options.ticks,
      onFailure: (error) => report(this.#relay, { address }, error),
    });
    this.#connections.add(connection);
    connection.onClose(() => this.#connections.delete(connection));
    this.#watchStranger(connection, request);
  }

  /** Until it has logged in a peer may send little, is one of few, and pays for failing. */
  #watchStranger(connection: Connection, request: IncomingMessage): void {
    let received = 0;
    const count = (chunk: Buffer) => {
      received += chunk.length;
      if (received > MAX_STRANGER_BYTES) connection.cut();
    };
    const settled = onceOnly(() => {
      this.#strangers -= 1;
      this.#relay.metrics.closed("stranger");
      request.socket.off("data", count);
    });
    this.#strangers += 1;
    this.#relay.metrics.opened("stranger");
    request.socket.on("data", count);
    connection.onClose(() => {
      if (settled()) this.#relay.diallers.take(connection.address, REFUSED_LOGIN_COST);
    });
    greet(this.#relay, { connection, loginTimeoutMs: this.#options.loginTimeoutMs, onLogin: settled });
  }

  #addressOf(request: IncomingMessage): string {
    return dialler(request, this.#options.behindTlsProxy === true);
  }

  #beat(silenceMs: number): void {
    for (const connection of this.#connections) connection.beat(silenceMs);
    for (const { hub } of this.#relay.tenants.loaded()) {
      for (const session of hub.operators) endWhereOver(session.connection, () => checkAccess(this.#relay, session));
      for (const session of hub.newcomers.values()) {
        endWhereOver(session.connection, () => checkTime(this.#relay, session));
      }
    }
  }

  #sweep(): void {
    try {
      sweepExpired(this.#relay);
    } catch (error) {
      report(this.#relay, { address: "none" }, error);
    }
  }

  // --- HTTP ---

  #listenForMetrics(listen: Address): Listener {
    return new Listener({
      listen,
      certificate: undefined,
      turnAway: () => "503 Service Unavailable",
      onPeer: (socket) => socket.terminate(),
      onGet: (request) => this.#get(request, true),
    });
  }

  /** Behind a proxy everybody comes from loopback, so that there only a listener of its own shows them. */
  #mayReadMetrics({ socket }: IncomingMessage): boolean {
    return this.#options.behindTlsProxy !== true && isLoopback(socket.remoteAddress ?? "");
  }

  async #get({ method, url }: IncomingMessage, mayReadMetrics: boolean): Promise<HttpAnswer> {
    const isRead = method === "GET" || method === "HEAD";
    if (isRead && url === "/healthz") return this.#health();
    if (!isRead || url !== "/metrics" || !mayReadMetrics) return plain(404, "not found");
    const { registry } = this.#relay.metrics;
    return { status: 200, type: registry.contentType, body: await registry.metrics() };
  }

  #health(): HttpAnswer {
    try {
      this.#relay.store.logs.hasTenants();
      return plain(200, "ok");
    } catch (error) {
      report(this.#relay, { address: "none" }, error);
      return plain(503, "the database cannot be read");
    }
  }
}

function endWhereOver(connection: Connection, check: () => void): void {
  try {
    check();
  } catch (error) {
    connection.end(error);
  }
}

function plain(status: number, body: string): HttpAnswer {
  return { status, type: "text/plain; charset=utf-8", body: `${body}\n` };
}

/** Runs an act the first time, and says whether this was it. */
function onceOnly(act: () => void): () => boolean {
  let isDone = false;
  return () => {
    if (isDone) return false;
    isDone = true;
    act();
    return true;
  };
}
