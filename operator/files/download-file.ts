// A fetched file out of the relay, verified against the device's receipt, opened piece by piece, and put in its place as a whole.
import { createHash } from "node:crypto";
import { renameSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { fetchedKey, RESULT_SALT_BYTES } from "../../protocol/output.ts";
import { MAX_FETCHED_BYTES, WRAP_BYTES } from "../../protocol/limits.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { refuse } from "../../protocol/refusal.ts";
import { openChunk, SEALED_CHUNK_BYTES } from "../../protocol/stream.ts";
import { Fault, writeFault } from "../fault.ts";
import { overCuts } from "../connection/over-cuts.ts";
import { TransferView } from "../present/transfer.ts";
import { placeAmong, type Reader } from "../results/reader.ts";
import { partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import { requireFree, syncParent } from "../home/stored-file.ts";

export type Download = {
  readonly receipt: Receipt;
  readonly readers: readonly string[];
  readonly reader: Reader;
  /** Where it is put. */
  readonly to: string;
  readonly replace: boolean;
};

/**
 * Writes the file, of mode 0600, by temporary name, sync and rename. Throws `output-digest` or `output-sealed`, with nothing
 * written, where it is not what the device signed; `file-exists` where something is there.
 */
export async function downloadFile(session: Session, download: Download): Promise<void> {
  const { receipt, to, replace } = download;
  if (receipt.outcome.type !== "fetched") throw new Error("internal error: a receipt without a file");
  requireFree(to, replace);
  const temporary = `${to}.part`;
  try {
    rmSync(temporary, { force: true });
    const content = await writeOpened(session, temporary, download);
    if (content !== receipt.outcome.sha256)
      throw refuse("output-digest", "the content is not what the device summed up");
    requireFree(to, replace);
    renameSync(temporary, to);
    syncParent(to);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw writeFault(error, to);
  }
}

/** Answers the sum of salt and content, once the sealed bytes are those that the receipt names. */
async function writeOpened(
  session: Session,
  temporary: string,
  { receipt, readers, reader }: Download,
): Promise<string> {
  const size = receipt.result?.size ?? 0;
  if (size > MAX_FETCHED_BYTES) throw new Fault("relay-odd", `a result of ${size} bytes`);
  const sealed = new SealedResult(session, receipt);
  const place = placeAmong(readers, reader);
  if (place < 0) throw refuse("output-sealed");
  await using file = await open(temporary, "wx", 0o600);
  try {
    const wraps = await sealed.take(readers.length * WRAP_BYTES);
    const key = await fetchedKey(reader.unwrap, wraps, { statement: receipt.statement, place });
    const content = createHash("sha256");
    for (let index = 0; sealed.left > 0; index++) {
      const bytes = await sealed.take(Math.min(SEALED_CHUNK_BYTES, sealed.left));
      const plain = openChunk(key, { index, last: sealed.left === 0 }, bytes);
      if (plain === undefined) throw refuse("output-sealed", `chunk ${index}`);
      content.update(plain);
      await writeAll(file, index === 0 ? plain.subarray(RESULT_SALT_BYTES) : plain);
    }
    sealed.end();
    await file.sync();
    sealed.say();
    return content.digest("base64url");
  } finally {
    sealed.clear();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

/** The sealed result as it comes, a part at a time and over cuts of the line, summed up on the way. */
class SealedResult {
  readonly #session: Session;
  readonly #receipt: Receipt;
  readonly #size: number;
  readonly #hash = createHash("sha256");
  readonly #view: TransferView;
  #buffer: Uint8Array = new Uint8Array(0);
  #received = 0;
  #taken = 0;

  constructor(session: Session, receipt: Receipt) {
    this.#session = session;
    this.#receipt = receipt;
    this.#size = receipt.result?.size ?? 0;
    const words = { verb: "downloading", done: "downloaded", name: "the file", size: this.#size };
    this.#view = new TransferView(session.desk.world, words);
  }

  /** Bytes that were not taken yet. */
  get left(): number {
    return this.#size - this.#taken;
  }

  async take(bytes: number): Promise<Uint8Array> {
    while (this.#buffer.length < bytes) await this.#more();
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    this.#taken += bytes;
    return taken;
  }

  /** Throws `output-digest` where the whole is another. */
  end(): void {
    if (this.#hash.digest("base64url") !== this.#receipt.result?.sha256)
      throw refuse("output-digest", "the sealed file");
  }

  say(): void {
    this.#view.end();
  }

  clear(): void {
    this.#view.clear();
  }

  async #more(): Promise<void> {
    if (this.#received >= this.#size) throw refuse("output-digest", `cut at ${this.#received} of ${this.#size} bytes`);
    await overCuts(this.#session, { step: () => this.#ask(), reached: () => this.#received });
  }

  async #ask(): Promise<void> {
    const { job, device } = this.#receipt;
    const asked = { type: "read-result", job, device, offset: this.#received };
    const { parts } = await this.#session.client.ask("result", asked);
    const part = partAt(parts, 0);
    if (part.length === 0 || this.#received + part.length > this.#size)
      throw refuse("output-digest", `cut at ${this.#received} of ${this.#size} bytes`);
    this.#hash.update(part);
    this.#received += part.length;
    this.#buffer = new Uint8Array(Buffer.concat([this.#buffer, part]));
    this.#view.at(this.#received);
  }
}
