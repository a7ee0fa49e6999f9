// A relay in the hands of somebody else: it stands before a real one, and may change, swallow or make up frames in both directions.
import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { type Frame, readFrame, writeFrame } from "../../protocol/frame.ts";

/** One client's connection through it. */
export type Line = {
  /** A frame of the taken-over relay's own making. */
  readonly toClient: (frame: Frame) => void;
  readonly toRelay: (frame: Frame) => void;
};

/** What becomes of a frame: passed on as it is answered, or swallowed. */
export type Plot = {
  readonly fromClient?: (frame: Frame, line: Line) => Frame | undefined;
  readonly fromRelay?: (frame: Frame, line: Line) => Frame | undefined;
};

export class TakenOverRelay implements AsyncDisposable {
  readonly url: string;
  upstream = "";
  plot: Plot = {};
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer, { port }: AddressInfo) {
    this.#server = server;
    this.url = `ws://127.0.0.1:${port}`;
    server.on("connection", (client) => this.#connect(client));
  }

  static async open(): Promise<TakenOverRelay> {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new TakenOverRelay(server, address);
  }

  #connect(client: WebSocket): void {
    const relay = new WebSocket(`${this.upstream}/keybound/v1`, { perMessageDeflate: false });
    const early: Uint8Array[] = [];
    const sendOn = (bytes: Uint8Array) => (relay.readyState === WebSocket.OPEN ? relay.send(bytes) : early.push(bytes));
    const line: Line = {
      toClient: ({ header, parts }) => client.send(writeFrame(header, parts)),
      toRelay: ({ header, parts }) => void sendOn(writeFrame(header, parts)),
    };
    relay.on("open", () => early.splice(0).forEach((frame) => relay.send(frame)));
    client.on("message", (data) => {
      if (!(data instanceof Uint8Array)) return;
      const frame = this.#fromClient(readFrame(data), line);
      if (frame !== undefined) line.toRelay(frame);
    });
    relay.on("message", (data) => {
      if (!(data instanceof Uint8Array)) return;
      const frame = this.#fromRelay(readFrame(data), line);
      if (frame !== undefined) line.toClient(frame);
    });
    client.on("close", () => relay.terminate()).on("error", () => relay.terminate());
    relay.on("close", () => client.terminate()).on("error", () => client.terminate());
  }

  #fromClient(frame: Frame, line: Line): Frame | undefined {
    return this.plot.fromClient === undefined ? frame : this.plot.fromClient(frame, line);
  }

  #fromRelay(frame: Frame, line: Line): Frame | undefined {
    return this.plot.fromRelay === undefined ? frame : this.plot.fromRelay(frame, line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
