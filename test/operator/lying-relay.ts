// Somebody who has taken a relay over: it stands before a real one and changes what it likes on the way to the operator.
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { type Frame, readFrame, writeFrame } from "../../protocol/frame.ts";

/** What becomes of a frame on its way to a client; the same frame for the truth. */
export type Lie = (frame: Frame) => Frame;

export class LyingRelay implements AsyncDisposable {
  readonly url: string;
  /** Where the truth comes from. */
  upstream = "";
  lie: Lie = truth;
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer, port: number) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${port}`;
    server.on("connection", (client) => this.#connect(client));
  }

  static async open(): Promise<LyingRelay> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    await new Promise((resolve) => server.once("listening", resolve));
    return new LyingRelay(server, portOf(server.address()));
  }

  /** Lies while this runs. */
  async lying<T>(lie: Lie, work: () => Promise<T>): Promise<T> {
    this.lie = lie;
    try {
      return await work();
    } finally {
      this.lie = truth;
    }
  }

  /** Cuts every line. */
  cut(): void {
    for (const client of this.#server.clients) client.terminate();
  }

  #connect(client: WebSocket): void {
    const relay = new WebSocket(`${this.upstream}/keybound/v1`, { perMessageDeflate: false });
    const early: Uint8Array[] = [];
    relay.on("open", () => early.splice(0).forEach((frame) => relay.send(frame)));
    client.on("message", (data) => {
      if (!(data instanceof Uint8Array)) return;
      if (relay.readyState === WebSocket.OPEN) relay.send(data);
      else early.push(data);
    });
    relay.on("message", (data) => {
      if (data instanceof Uint8Array) client.send(rewritten(data, this.lie));
    });
    client.on("close", () => relay.terminate()).on("error", () => relay.terminate());
    relay.on("close", () => client.terminate()).on("error", () => client.terminate());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function truth(frame: Frame): Frame {
  return frame;
}

function rewritten(data: Uint8Array, lie: Lie): Uint8Array {
  const { header, parts } = lie(readFrame(data));
  return writeFrame(header, parts);
}

function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
