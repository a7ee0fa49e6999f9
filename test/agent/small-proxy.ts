// A CONNECT proxy of a few lines: lets through, asks for a password, refuses or says nothing, and keeps what it was asked for.
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";

export type ProxyManner = "open" | "refuse" | "hang" | "echo";

/** `certificate`: it has TLS itself. */
type Manners = {
  readonly wants?: string;
  readonly host?: string;
  readonly certificate?: { readonly key: string; readonly cert: string };
};

const noRequest: RequestListener = (_request, response) => void response.writeHead(405).end();

export class SmallProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Where it was asked to lead, in order. */
  readonly asked: string[] = [];
  /** `user:password` that it wants. */
  readonly #wants: string | undefined;
  manner: ProxyManner = "open";
  #host = "127.0.0.1";

  private constructor({ wants, certificate }: Manners) {
    this.#wants = wants;
    this.#server = certificate === undefined ? createServer(noRequest) : createTlsServer(certificate, noRequest);
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
    });
    this.#server.on("connect", (request: IncomingMessage, socket: Duplex) => this.#lead(request, socket));
  }

  /** Listens until the test ends. */
  static async open({ host = "127.0.0.1", ...manners }: Manners = {}): Promise<SmallProxy> {
    const proxy = new SmallProxy(manners);
    onTestFinished(() => proxy.close());
    proxy.#host = host.includes(":") ? `[${host}]` : host;
    proxy.#server.listen(0, host);
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address === "string" || address === null) throw new Error("not listening");
    return address.port;
  }

  get url(): string {
    return `http${this.#server instanceof TlsServer ? "s" : ""}://${this.#host}:${this.port}`;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #lead({ url = "", headers }: IncomingMessage, socket: Duplex): void {
    this.asked.push(url);
    if (this.manner === "hang") return void socket.on("end", () => socket.end()).resume();
    if (this.manner === "refuse") return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    if (this.manner === "echo")
      return void socket.end(`HTTP/1.1 403 ${headers["proxy-authorization"]} \u001b[31m\r\n\r\n`);
    if (this.#wants !== undefined && headers["proxy-authorization"] !== `Basic ${btoa(this.#wants)}`)
      return void socket.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n',
      );
    // Every name is this machine, as a proxy knows names that its clients do not.
    const port = Number(url.slice(url.lastIndexOf(":") + 1));
    const line = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      socket.pipe(line).pipe(socket);
    });
    line.on("error", () => socket.destroy());
    socket.on("error", () => line.destroy());
    socket.on("close", () => line.destroy());
  }
}
