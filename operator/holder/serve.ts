// The key holder's socket: one request a connection, answered while the watch has no reason to end.
import { chmodSync, rmSync, statSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import { systemCode } from "../fault.ts";
import { HOLDER_PATIENCE_MS, MAX_HOLDER_CONNECTIONS } from "../limits.ts";
import { readLine } from "./line.ts";
import { type HolderAnswer, readRequest, writeLine } from "./message.ts";
import type { Oracle } from "./oracle.ts";
import type { Watch } from "./watch.ts";

/** `end` overwrites the seeds and gives up the socket, at once. */
export type Holder = { readonly oracle: Oracle; readonly watch: Watch; readonly end: () => void };

/** The answer to one line, whatever is in it. */
export function answerTo(line: Uint8Array, { oracle, watch, end }: Holder): HolderAnswer {
  if (watch.look() !== undefined) {
    end();
    return { say: "refused", why: "ended" };
  }
  const request = readRequest(line);
  switch (request?.ask) {
    case "hello":
      return { say: "hello", sig: oracle.publicKey, enc: oracle.sealingKey, ...agesOf(watch) };
    case "sign":
      return oracle.sign(request);
    case "unwrap":
      return oracle.unwrap(request);
    case "shorten":
      watch.shorten(request.lifetimeMs);
      return { say: "done" };
    case "end":
      end();
      return { say: "done" };
    default:
      return { say: "refused", why: "form" };
  }
}

function agesOf({ ageMs, leftMs }: Watch): { ageMs: number; leftMs: number } {
  return { ageMs: Math.floor(ageMs), leftMs: Math.floor(leftMs) };
}

export type Endpoint = {
  /** Whether the socket's file is still ours; a pipe has none. */
  readonly isThere: () => boolean;
  /** Takes no more connections, and the file away; an answer that is being written is. */
  readonly close: () => void;
};

/** Listens at this address, where nobody else listens: what is left of an earlier holder is removed. Mode 0600. */
export async function listen(address: string, answer: (line: Uint8Array) => HolderAnswer): Promise<Endpoint> {
  const server = createServer((socket) => void converse(socket, answer));
  server.maxConnections = MAX_HOLDER_CONNECTIONS;
  const isFile = !address.startsWith("\\\\");
  if (isFile) rmSync(address, { force: true });
  server.listen(address);
  await once(server, "listening");
  if (isFile) chmodSync(address, 0o600);
  const own = isFile ? fileAt(address) : undefined;
  // Closing a server of Node's removes its file.
  return { isThere: () => !isFile || fileAt(address) === own, close: () => void server.close() };
}

async function converse(socket: Socket, answer: (line: Uint8Array) => HolderAnswer): Promise<void> {
  const line = await readLine(socket);
  if (line === undefined) return void socket.destroy();
  socket.setTimeout(HOLDER_PATIENCE_MS, () => socket.destroy());
  socket.end(writeLine(answer(line)));
}

/** Which file it is, so that another one in its place is noticed; `undefined` where there is none. */
function fileAt(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  }
}
