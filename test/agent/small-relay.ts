// A relay of a few lines for the agent's tests: it lets devices in, serves their key log, keeps what they say, and misbehaves as
// it is told.
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { readBindingReport } from "../../protocol/binding-report.ts";
import { type Frame, readFrame, writeFrame } from "../../protocol/frame.ts";
import { readLogin } from "../../protocol/relay-login.ts";
import type { JsonObject } from "../../protocol/strict-json.ts";
import { digestOf } from "../cast/random.ts";
import type { Tenant } from "../cast/tenant.ts";

export type Said = Frame & { readonly tenant: string; readonly device: string; readonly sig: string };

const PAGE = 250;

export class SmallRelay {
  readonly #server: WebSocketServer;
  readonly #tenants: readonly Tenant[];
  readonly #sockets = new Map<string, WebSocket>();
  /** Devices by each login, in order. */
  readonly logins: string[] = [];
  /** What devices said after their logins, in order. */
  readonly said: Said[] = [];
  enrolled = true;
  /** What every device is told right after the welcome. */
  greeting: readonly (readonly [JsonObject, readonly Uint8Array[]])[] = [];
  /** Sealed files that it gives out, whoever asks. */
  readonly blobs = new Map<string, Uint8Array>();
  /** How many bytes of them one answer brings. */
  blobPart = 64 * 1024;
  /** Answers of its own: a header, without `rid`; `close`; or `undefined` for a good one. */
  answer: (said: Said) => JsonObject | "close" | undefined = () => undefined;

  private constructor(server: WebSocketServer, tenants: readonly Tenant[]) {
    this.#server = server;
    this.#tenants = tenants;
    server.on("connection", (socket) => this.#greet(socket));
  }

  /** Listens until the test ends; on this port if it is given. */
  static async open(tenants: readonly Tenant[], port = 0): Promise<SmallRelay> {
    const server = new WebSocketServer({ host: "127.0.0.1", port });
    const relay = new SmallRelay(server, tenants);
    onTestFinished(() => relay.close());
    await once(server, "listening");
    return relay;
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address === "string" || address === null) throw new Error("not listening");
    return `ws://127.0.0.1:${address.port}`;
  }

  get devices(): readonly string[] {
    return [...this.#sockets.keys()];
  }

  /** Binding reports that came, proved. */
  get reports() {
    return this.said
      .filter(({ header }) => header["type"] === "report")
      .map(({ parts, sig, tenant }) => readBindingReport(parts[0] ?? new Uint8Array(0), { sig, tenant }));
  }

  kinds(device: string): readonly unknown[] {
    return this.said.filter((said) => said.device === device).map(({ header }) => header["type"]);
  }

  push(device: string, header: JsonObject, parts: readonly Uint8Array[] = []): void {
    this.#sockets.get(device)?.send(writeFrame(header, parts));
  }

  /** Ends every connection; devices come again. */
  cut(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #greet(socket: WebSocket): void {
    const challenge = digestOf("a challenge");
    const { host } = new URL(this.url);
    socket.send(writeFrame({ type: "hello", version: 1, challenge, channel: false, time: 0 }));
    socket.once("message", (data) => {
      const [login = new Uint8Array(0)] = frameOf(data).parts;
      this.#welcome(socket, readLogin(login, { challenge, relays: [host], channel: undefined }));
    });
  }

  #welcome(socket: WebSocket, { login: { tenant: id, sig }, key: device }: ReturnType<typeof readLogin>): void {
    const tenant = this.#tenants.find((known) => known.id === id);
    if (tenant === undefined) {
      socket.send(writeFrame({ type: "failed", code: "tenant-unknown", message: "no such tenant" }));
      return;
    }
    this.logins.push(device);
    this.#sockets.set(device, socket);
    socket.on("close", () => this.#sockets.get(device) === socket && this.#sockets.delete(device));
    socket.on("message", (data) => this.#hear(socket, tenant, { ...frameOf(data), tenant: id, device, sig }));
    socket.send(writeFrame({ type: "welcome", enrolled: this.enrolled, keyHead: { ...tenant.head } }));
    for (const [header, parts] of this.greeting) socket.send(writeFrame(header, parts));
  }

  #hear(socket: WebSocket, tenant: Tenant, said: Said): void {
    this.said.push(said);
    const { rid, type, from } = said.header;
    const own = this.answer(said);
    if (own === "close") return socket.terminate();
    if (typeof rid !== "number") return;
    if (own !== undefined) return socket.send(writeFrame({ ...own, rid }));
    if (type === "read-blob") return this.#giveBlob(socket, said);
    if (type !== "read-log") return socket.send(writeFrame({ type: "ok", rid }));
    const start = Number(from);
    const entries = tenant.log.slice(start, start + PAGE);
    const more = start + PAGE < tenant.log.length;
    socket.send(writeFrame({ type: "log", rid, log: "key", from: start, more }, entries));
  }

  #giveBlob(socket: WebSocket, { header: { rid, blob, offset } }: Said): void {
    const whole = typeof blob === "string" ? this.blobs.get(blob) : undefined;
    if (whole === undefined) {
      socket.send(writeFrame({ type: "failed", rid: Number(rid), code: "blob-unknown", message: "not here" }));
      return;
    }
    const part = whole.subarray(Number(offset), Number(offset) + this.blobPart);
    socket.send(writeFrame({ type: "blob", rid: Number(rid), size: whole.length }, [part]));
  }
}

function frameOf(data: unknown): Frame {
  if (!(data instanceof Uint8Array)) throw new Error("a device said something else than bytes");
  return readFrame(data);
}
