/** The floors under a job: what the same machine needs, in the same minute, for each thing that a job cannot do without. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { WebSocket } from "ws";
import { sealingPairOf } from "../../protocol/passphrase.ts";
import { unwrapKey, wrapKey } from "../../protocol/seal.ts";
import { signerOf, verifySignature } from "../../protocol/signature.ts";
import { Helper, Program } from "./programs.ts";
import type { Stage } from "./stage.ts";
import { SCRIPT } from "./timed-job.ts";

export type FloorName = "webSocket" | "commit" | "spawn" | "sign" | "verify" | "wrap" | "unwrap";

const KIB = 1024;
const random = (bytes: number) => new Uint8Array(randomBytes(bytes));

export class Floors {
  readonly #samples = new Map<FloorName, number[]>();
  readonly #socket: WebSocket;
  readonly #spawner: Helper;
  readonly #file: string;
  readonly #insert: () => void;
  readonly #signer = signerOf(random(32));
  readonly #pair = sealingPairOf(random(32));

  private constructor(stage: Stage, { socket, insert }: { socket: WebSocket; insert: () => void }) {
    this.#socket = socket;
    this.#insert = insert;
    this.#spawner = stage.own(new Helper(stage.bench.bundles.spawner));
    this.#file = stage.path("floor-script");
  }

  /** Owned by the stage: a connected echo server in its own process, a database, a small process that spawns. */
  static async open(stage: Stage): Promise<Floors> {
    const server = stage.own(new Program([stage.bench.bundles.echoServer], { log: stage.path("echo.log") }));
    const [, url = ""] = await server.line(/^echo at (\S+)$/m);
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await once(socket, "open");
    stage.own({ [Symbol.asyncDispose]: async () => socket.terminate() });
    return new Floors(stage, { socket, insert: inserter(stage) });
  }

  /** One sample of each. */
  async sample(): Promise<void> {
    await this.#time("webSocket", async () => {
      const answered = once(this.#socket, "message");
      this.#socket.send(random(KIB));
      await answered;
    });
    await this.#time("commit", this.#insert);
    this.#add("spawn", await this.spawn(1));
    await this.#crypto();
  }

  /** Milliseconds for this many scripts, one after the other, in a process as small as Node gets. */
  spawn(times: number): Promise<number> {
    return this.#spawner.ask({ source: SCRIPT, file: this.#file, times });
  }

  of(name: FloorName): readonly number[] {
    return this.#samples.get(name) ?? [];
  }

  async #crypto(): Promise<void> {
    const message = random(KIB);
    const use = { purpose: "job-body", statement: "a floor" } as const;
    const signature = await this.#time("sign", () => this.#signer.sign(message));
    const { publicKey } = this.#signer;
    await this.#time("verify", () => verifySignature({ publicKey, message, signature }));
    const recipient = this.#pair.publicKey;
    const wrap = await this.#time("wrap", () => wrapKey(random(32), { recipient, use, random }));
    await this.#time("unwrap", () => unwrapKey(wrap, { pair: this.#pair, use }));
  }

  async #time<T>(name: FloorName, work: () => T | Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await work();
    this.#add(name, performance.now() - start);
    return result;
  }

  #add(name: FloorName, ms: number): void {
    const samples = this.#samples.get(name) ?? [];
    this.#samples.set(name, samples);
    samples.push(ms);
  }
}

/** A synced commit of a row of 1 KiB, as relay and agent make them. */
function inserter(stage: Stage): () => void {
  const db = new DatabaseSync(join(stage.bench.folder, "floor.db"));
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB) STRICT",
  );
  const insert = db.prepare("INSERT INTO t (b) VALUES (?)");
  stage.own({ [Symbol.asyncDispose]: async () => db.close() });
  return () => {
    const bytes = random(KIB);
    db.exec("BEGIN IMMEDIATE");
    insert.run(bytes);
    db.exec("COMMIT");
  };
}
