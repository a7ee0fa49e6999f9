// The listening socket: HTTP for health and metrics, WebSocket for peers, TLS where a certificate is given.
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer, Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import { MAX_FRAME_BYTES } from "../protocol/limits.ts";
import { type Address, hostPort } from "./address.ts";
import { HTTP_TIMEOUT_MS, MAX_HTTP_HEADER_BYTES } from "./limits.ts";
import { Obstacle, systemCode } from "./obstacle.ts";

/** PEM texts. */
export type Certificate = { readonly cert: string; readonly key: string };
export type HttpAnswer = { readonly status: number; readonly type: string; readonly body: string };

export type ListenerOptions = {
  readonly listen: Address;
  readonly certificate: Certificate | undefined;
  /** Why a peer is turned away before any upgrade; `undefined` where it is not. */
  readonly turnAway: (request: IncomingMessage) => "429 Too Many Requests" | "503 Service Unavailable" | undefined;
  readonly onPeer: (socket: WebSocket, request: IncomingMessage) => void;
  readonly onGet: (request: IncomingMessage) => Promise<HttpAnswer>;
};

const PATH = "/keybound/v1";
const TLS = { minVersion: "TLSv1.3" } as const;
const SOCKETS = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MAX_FRAME_BYTES,
} as const;
const LIMITS = {
  headersTimeout: HTTP_TIMEOUT_MS,
  requestTimeout: HTTP_TIMEOUT_MS,
  maxHeaderSize: MAX_HTTP_HEADER_BYTES,
  keepAliveTimeout: 1000,
} as const;

export class Listener {
  readonly #server: Server;
  readonly #sockets = new WebSocketServer(SOCKETS);
  readonly #options: ListenerOptions;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = serverFor(options.certificate);
    this.#server.on("request", (request, response) => void this.#answer(request, response));
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** The address with the port that was chosen. Throws an obstacle where it cannot be had. */
  async open(): Promise<Address> {
    await listening(this.#server, this.#options.listen);
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("internal error: listening on no port");
    return { host: this.#options.listen.host, port: address.port };
  }

  /** For connections from now on. Throws an obstacle where the two do not fit. */
  setCertificate(certificate: Certificate): void {
    if (!(this.#server instanceof TlsServer)) return;
    withCertificate(
      () => this.#server instanceof TlsServer && this.#server.setSecureContext({ ...certificate, ...TLS }),
    );
  }

  /** Takes no more connections; those of peers are not touched. */
  stop(): void {
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const onError = () => socket.destroy();
    socket.on("error", onError);
    const status = request.url === PATH ? this.#options.turnAway(request) : "404 Not Found";
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (peer) => {
      socket.off("error", onError);
      this.#options.onPeer(peer, request);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#options.onGet(request);
    response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
  }
}

/** RFC 9266: what only the two ends of this TLS connection know; `undefined` without TLS. */
export function channelOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  return socket.exportKeyingMaterial(32, "EXPORTER-keybound-relay-login", Buffer.alloc(0)).toString("base64url");
}

function serverFor(certificate: Certificate | undefined): Server {
  if (certificate === undefined) return createHttpServer(LIMITS);
  return withCertificate(() => createHttpsServer({ ...LIMITS, ...certificate, ...TLS }));
}

function withCertificate<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    const code = systemCode(error) ?? "";
    if (!code.startsWith("ERR_OSSL") && !code.startsWith("ERR_TLS")) throw error;
    const words = code === "ERR_OSSL_X509_KEY_VALUES_MISMATCH" ? "do not belong together" : `cannot be used: ${code}`;
    throw new Obstacle(`the certificate and its key ${words}`, {
      hint: "give --tls-cert the certificate with its chain and --tls-key its private key, both as PEM",
    });
  }
}

async function listening(server: Server, listen: Address): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(listen.port, listen.host, () => resolve());
  try {
    await promise;
  } catch (error) {
    throw obstacleOf(error, listen);
  }
  server.removeAllListeners("error");
}

const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program has the port: choose one with --listen HOST:PORT",
  EADDRNOTAVAIL: "this machine does not have the address: choose one with --listen HOST:PORT",
  EACCES: "ports below 1024 need privileges: choose another with --listen HOST:PORT",
  ENOTFOUND: "the host has no address: choose another with --listen HOST:PORT",
};

function obstacleOf(error: unknown, listen: Address): unknown {
  const code = systemCode(error);
  const hint = LISTEN_HINTS[code ?? ""];
  return hint === undefined ? error : new Obstacle(`cannot listen on ${hostPort(listen)}: ${code}`, { hint });
}
