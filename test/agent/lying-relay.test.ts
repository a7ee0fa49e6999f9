// A relay that says whatever it likes to a device's connection: the connection ends, and nothing else does.
import { once } from "node:events";
import * as fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { RelayConnection, type RelayFrame } from "../../agent/connection/relay-connection.ts";
import { writeFrame } from "../../protocol/frame.ts";
import { device } from "../cast/device.ts";
import { digestOf } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";

const acme = new Tenant();
const web1 = device("web1");
const HELLO = writeFrame({ type: "hello", version: 1, challenge: digestOf("challenge"), channel: false, time: 0 });
const WELCOME = writeFrame({ type: "welcome" });

/** What a device's connection heard of a relay that says these things, and why it closed. */
async function told(say: (socket: WebSocket) => void) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => {
    server.close();
  });
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  server.on("connection", say);
  const heard: RelayFrame[] = [];
  const opened: unknown[] = [];
  const closed = Promise.withResolvers<{ text: string; code?: string }>();
  const connection = new RelayConnection(
    `ws://127.0.0.1:${port}`,
    { tenant: acme.id, signer: web1.signer },
    { onOpen: (welcome) => opened.push(welcome), onFrame: (frame) => heard.push(frame), onClose: closed.resolve },
    () => Date.now(),
  );
  const timer = setTimeout(() => connection.close("still open"), 2_000);
  const reason = await closed.promise;
  clearTimeout(timer);
  server.clients.forEach((client) => client.terminate());
  return { reason, heard, opened };
}

it("ends the connection on any bytes that are no frame for a device", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const { reason, opened } = await told((socket) => socket.send(bytes));
      expect(reason.text).not.toBe("still open");
      expect(opened).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

it("ends the connection on a frame of text", async () => {
  const { reason } = await told((socket) => socket.send("hello"));
  expect(reason.text).toBe("a frame that is not binary");
});

it("opens once, whatever is said of a second welcome", async () => {
  const { reason, opened } = await told((socket) => [HELLO, WELCOME, WELCOME].forEach((frame) => socket.send(frame)));
  expect(opened).toHaveLength(1);
  expect(reason.text).toBe("welcome at the wrong time");
});

it("takes nothing before it is let in", async () => {
  const job = writeFrame({ type: "job", job: "AAAAAAAAAAAAAAAAAAAAAA", watched: false }, [HELLO, HELLO, HELLO]);
  const { reason, heard } = await told((socket) => [HELLO, job].forEach((frame) => socket.send(frame)));
  expect(heard).toEqual([]);
  expect(reason.text).toBe("job at the wrong time");
});

it("says why a relay turned it away", async () => {
  const failed = writeFrame({ type: "failed", code: "login-unknown", message: "not known here" });
  const { reason } = await told((socket) => [HELLO, failed].forEach((frame) => socket.send(frame)));
  expect(reason).toEqual({ text: "not known here", code: "login-unknown" });
});
