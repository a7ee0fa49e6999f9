// A whole daemon with a relay that lets it in and then says what it likes: it refuses, reconnects and lives.
import { once } from "node:events";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { runDaemon } from "../../agent/daemon.ts";
import { verifyJournal } from "../../agent/state/journal.ts";
import { readFrame, writeFrame } from "../../protocol/frame.ts";
import type { JsonObject } from "../../protocol/strict-json.ts";
import { jobFor } from "../cast/job.ts";
import { digestOf, idOf, seeded } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, openState } from "./bound.ts";
import { daemonOptions } from "./daemon-on.ts";

const HELLO: JsonObject = { type: "hello", version: 1, challenge: digestOf("challenge"), channel: false, time: 0 };
const WELCOME: JsonObject = { type: "welcome", enrolled: false, keyHead: { seq: 9, id: digestOf("ahead") } };

/** Lets a device in; answers what it asks by the wrong thing; says the rest unasked. */
function lies(socket: WebSocket, unasked: readonly (readonly [JsonObject, readonly Uint8Array[]])[]): void {
  socket.send(writeFrame(HELLO));
  socket.on("message", (data) => {
    if (!(data instanceof Uint8Array)) return;
    const { header } = readFrame(data);
    if (header["type"] !== "login") return socket.send(writeFrame({ type: "ok", rid: header["rid"] ?? 1 }));
    socket.send(writeFrame(WELCOME));
    for (const [said, parts] of unasked) socket.send(writeFrame(said, parts));
    setTimeout(() => socket.terminate(), 100);
  });
}

it("outlives every kind of frame with parts that are nothing", { timeout: 30_000 }, async () => {
  const acme = new Tenant();
  acme.clock.now = Date.now();
  const junk = seeded("junk");
  const job = jobFor({ tenant: acme, devices: [deviceOf(boundTo(acme, openState()))] });
  const parts = [[], [junk(40)], [junk(9), junk(80), junk(300)], [job.envelope, junk(80), job.body], [...acme.log]];
  const headers: readonly JsonObject[] = [
    { type: "job", job: idOf("a job"), watched: true },
    { type: "log-grew", log: "key", from: 7 },
    { type: "log-grew", log: "roster", from: 0 },
    { type: "checkpoint" },
    { type: "device-entries" },
    { type: "watched", job: idOf("no job") },
  ];
  const unasked = headers.flatMap((header) => parts.map((some) => [header, some] as const));
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => {
    server.close();
  });
  await once(server, "listening");
  let dials = 0;
  server.on("connection", (socket) => {
    // Each time from another place in the list, since some lies end the connection.
    lies(socket, unasked.slice(dials++ % unasked.length));
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const path = join(folder(), "state");
  const state = boundTo(acme, openState(path), `ws://127.0.0.1:${port}`);
  const stopping = new AbortController();
  const ended = runDaemon(daemonOptions(path, state), stopping.signal);
  await Promise.race([ended, until(() => dials > unasked.length)]);
  stopping.abort();
  await ended;
  server.clients.forEach((client) => client.terminate());
  expect(dials).toBeGreaterThan(unasked.length);
  expect(verifyJournal(state).to.seq).toBeGreaterThan(2);
  expect(state.all("SELECT job FROM ledger")).toEqual([]);
});

function boundTo(acme: Tenant, state: ReturnType<typeof openState>, relay = "ws://127.0.0.1:9") {
  bindTo(state, acme, { deployment: { relays: [relay] } });
  return state;
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!isSo() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
}
