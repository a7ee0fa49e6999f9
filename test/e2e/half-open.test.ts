// A line that dies without a word: nothing is closed and nothing arrives any more. Real sockets through a proxy that stops
// forwarding; only the clock and the connection's own heartbeat are turned by the test.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { RelayConnection } from "../../agent/connection/relay-connection.ts";
import { SILENCE_MS } from "../../protocol/limits.ts";
import { device } from "../cast/device.ts";
import type { Tenant } from "../cast/tenant.ts";
import { Estate } from "./estate.ts";
import { until } from "./program.ts";

const BEAT_MS = SILENCE_MS / 3;

/** A line between two ends that can die: what is sent then goes nowhere, and nobody is told. */
class Line implements Disposable {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  #isDead = false;
  /** The port of the far end. */
  target = 0;
  /** Bytes that came from there. */
  arrived = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<Line> {
    const server = createServer();
    const line = new Line(server);
    server.on("connection", (near) => line.#join(near, connect(line.target, "127.0.0.1")));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return line;
  }

  get port(): number {
    const address: string | AddressInfo | null = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return address.port;
  }

  die(): void {
    this.#isDead = true;
  }

  #join(near: Socket, far: Socket): void {
    this.#sockets.push(near, far);
    near.on("error", () => undefined).on("data", (bytes) => this.#isDead || far.write(bytes));
    far
      .on("error", () => undefined)
      .on("data", (bytes) => {
        if (this.#isDead) return;
        this.arrived += bytes.length;
        near.write(bytes);
      });
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

// One for both tests; the second one kills it.
let line: Line;
let estate: Estate;
let tenant: Tenant;

beforeAll(async () => {
  line = await Line.open();
  // A login is good for the name that was dialled, which is the line's.
  estate = await Estate.open(["--name", "127.0.0.1", "--name", `127.0.0.1:${line.port}`]);
  line.target = Number(new URL(estate.url).port);
  tenant = await estate.found("Acme");
});

afterAll(async () => {
  line[Symbol.dispose]();
  await estate[Symbol.asyncDispose]();
});

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));

afterEach(() => void vi.useRealTimers());

/** A device's connection through a line, open; `beat` lets a heartbeat pass. */
async function connected() {
  let now = Date.now();
  const closed: string[] = [];
  let isOpen = false;
  const connection = new RelayConnection(
    `ws://127.0.0.1:${line.port}`,
    { tenant: tenant.id, signer: device("web1").signer },
    { onOpen: () => (isOpen = true), onFrame: () => undefined, onClose: ({ text }) => closed.push(text) },
    () => now,
  );
  await until(() => isOpen || closed.length > 0, "a login");
  const beat = () => {
    now += BEAT_MS;
    vi.advanceTimersByTime(BEAT_MS);
  };
  return { connection, closed, beat };
}

it("that still carries is kept, however long nothing is said on it", async () => {
  const { connection, closed, beat } = await connected();
  for (let beats = 0; beats < 6; beats++) {
    const before = line.arrived;
    beat();
    await until(() => line.arrived > before, "the relay's pong");
  }
  expect([connection.isOpen, closed]).toEqual([true, []]);
  connection.close("the test ends");
});

it("that has died is noticed within four heartbeats, and given up", async () => {
  const { connection, closed, beat } = await connected();
  line.die();
  for (let beats = 0; beats < 4; beats++) beat();
  expect(connection.isOpen).toBe(false);
  expect(closed).toEqual([expect.stringMatching(/^silent for \d+ ms$/)]);
});
