/** The process of simulated devices: makes them, lets them connect all at once, drops them; answers each request with milliseconds. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
import { readPackage } from "../../protocol/deployment.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { SwarmDevice } from "./swarm-device.ts";

export type SwarmRequest =
  /** Makes devices out of a package file. */
  | { readonly type: "make"; readonly package: string; readonly count: number }
  /** Connects every device, `atOnce` at a time, from this address; to the last welcome. */
  | { readonly type: "connect"; readonly url: string; readonly from: string; readonly atOnce: number }
  | { readonly type: "drop" }
  /** A floor: sockets without a login, to the last one open. They stay open until `drop`. */
  | { readonly type: "open-plain"; readonly url: string; readonly count: number };

const devices: SwarmDevice[] = [];
const plain: WebSocket[] = [];

process.on("message", (request: SwarmRequest) => void answer(request));
process.on("disconnect", () => process.exit(0));

async function answer(request: SwarmRequest): Promise<void> {
  const start = performance.now();
  await carryOut(request);
  process.send?.(performance.now() - start);
}

async function carryOut(request: SwarmRequest): Promise<void> {
  switch (request.type) {
    case "make": {
      const deployment = readPackage(new Uint8Array(readFileSync(request.package)), admitKey);
      const made = Array.from({ length: request.count }, (_, n) => `swarm-${n}`);
      devices.push(...made.map((word) => new SwarmDevice(word, deployment, () => Date.now())));
      return;
    }
    case "connect":
      return inTurns(devices, request.atOnce, (device) => device.connect(request.url, request.from));
    case "drop":
      await Promise.all(devices.map((device) => device.drop()));
      for (const socket of plain.splice(0)) socket.terminate();
      return;
    default:
      await Promise.all(Array.from({ length: request.count }, () => openPlain(request.url)));
  }
}

async function openPlain(url: string): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  plain.push(socket);
  await once(socket, "open");
}

async function inTurns<T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const worker = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await work(next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
