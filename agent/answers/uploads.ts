// Getting receipts to the relay: in order, results before their receipts, again after every reconnect until each is confirmed.
import { existsSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { RESULT_PART_BYTES } from "../../protocol/limits.ts";
import type { OwnerState } from "../binding/owner-state.ts";
import { type RelayConnection, RelayFailure } from "../connection/relay-connection.ts";
import { UPLOAD_RETRY_MS } from "../limits.ts";
import { confirmStored, type OutboxReceipt, waitingReceipts } from "./outbox.ts";

export type UploadsOptions = {
  readonly owned: OwnerState;
  /** Folder of results that are files. */
  readonly fetched: string;
  readonly now: () => number;
  readonly log: Logger;
  /** The state can no longer be written. */
  readonly onFault: (error: unknown) => void;
};

export class Uploads {
  readonly #options: UploadsOptions;
  #connection: RelayConnection | undefined;
  #running: Promise<void> | undefined;
  #isWanted = false;
  #retry: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** Everything that was not confirmed on an earlier connection is sent on this one. */
  connected(connection: RelayConnection): void {
    this.#connection = connection;
    this.#sent = 0;
    this.wake();
  }

  disconnected(): void {
    clearTimeout(this.#retry);
    this.#connection = undefined;
  }

  /** A receipt was written. */
  wake(): void {
    this.#isWanted = true;
    this.#running ??= this.#drain();
  }

  /** Settles when nothing waits or the connection is gone. */
  async settled(): Promise<void> {
    await this.#running;
  }

  // Between the last look at the wish and the end nothing else can run, so no wish is lost.
  async #drain(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      await this.#sendWaiting();
    }
    this.#running = undefined;
  }

  async #sendWaiting(): Promise<void> {
    for (;;) {
      const connection = this.#connection;
      const [next] = connection?.isOpen
        ? waitingReceipts(this.#options.owned.state, { after: this.#sent, count: 1 })
        : [];
      if (connection === undefined || next === undefined) return;
      if (!(await this.#upload(connection, next))) return;
      this.#sent = Math.max(this.#sent, next.seq);
    }
  }

  /** Whether to go on with the next one. Throws where the state cannot be written. */
  async #upload(connection: RelayConnection, receipt: OutboxReceipt): Promise<boolean> {
    const { owned, now, log, onFault } = this.#options;
    try {
      await sendReceipt(connection, receipt, this.#options.fetched);
    } catch (error) {
      if (connection !== this.#connection || !(error instanceof RelayFailure)) return false;
      log.warn({ receipt: receipt.seq, code: error.code }, "the relay did not take a receipt");
      return this.#pass(error);
    }
    try {
      confirmStored(owned, receipt.seq, now());
      // A crash before this leaves it to the next start.
      if (receipt.file !== undefined) rmSync(join(this.#options.fetched, receipt.file), { force: true });
      return true;
    } catch (error) {
      onFault(error);
      return false;
    }
  }

  /** The relay's word is not believed: the receipt stays, and is offered again later, on this connection or the next. */
  #pass(failure: RelayFailure): boolean {
    if (!failure.isForNow) return true;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.wake(), UPLOAD_RETRY_MS);
    return false;
  }
}

/** Sends a result in parts, then its receipt. Resolves once the relay has stored both. `fetched`: where results that are files are. */
export async function sendReceipt(
  connection: RelayConnection,
  { seq, job, bytes, result, file }: OutboxReceipt,
  fetched?: string,
): Promise<void> {
  if (file !== undefined && fetched !== undefined) await sendFile(connection, { job, path: join(fetched, file) });
  const sealed = result ?? new Uint8Array(0);
  for (let offset = 0; offset < sealed.length; offset += RESULT_PART_BYTES) {
    const part = sealed.subarray(offset, offset + RESULT_PART_BYTES);
    await connection.request({ type: "result-part", job, offset, size: sealed.length }, [part]);
  }
  await connection.request({ type: "receipt", job, seq, result: sealed.length > 0 || file !== undefined }, [bytes]);
}

/** From where the relay has it. A file that somebody removed here is a result that the relay will not have; the receipt goes all the same. */
async function sendFile(connection: RelayConnection, { job, path }: { job: string; path: string }): Promise<void> {
  if (!existsSync(path)) return;
  await using from = await open(path, "r");
  const { size } = await from.stat();
  const { header } = await connection.request({ type: "stat-result", job, size });
  let offset = header.type === "result-stat" && header.received <= size ? header.received : 0;
  while (offset < size) {
    const { buffer, bytesRead } = await from.read(new Uint8Array(RESULT_PART_BYTES), 0, RESULT_PART_BYTES, offset);
    await connection.request({ type: "result-part", job, offset, size }, [buffer.subarray(0, bytesRead)]);
    offset += bytesRead;
  }
}
