// Fetching the files of accepted jobs, one after the other and a part at a time; what has come stays over cuts and restarts.
import type { Logger } from "pino";
import { blobsOf, type JobFile } from "../../protocol/job-file.ts";
import { BLOB_PART_BYTES } from "../../protocol/limits.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import { sealedSize } from "../../protocol/stream.ts";
import { ConnectionLost, type RelayConnection, RelayFailure } from "../connection/relay-connection.ts";
import { isDiskFull } from "../fault.ts";
import { MAX_HELD_FILE_BYTES, UPLOAD_RETRY_MS } from "../limits.ts";
import { checkFreeSpace, type Need } from "./free-space.ts";
import type { SealedFiles } from "./sealed-files.ts";

export type Wanted = {
  readonly job: string;
  readonly files: readonly JobFile[];
  readonly expiresAt: number;
  /** What placing them will take. */
  readonly needs: readonly Need[];
};

export type IntakeOptions = {
  readonly sealed: SealedFiles;
  readonly connection: () => RelayConnection | undefined;
  readonly now: () => number;
  readonly log: Logger;
  /** Every file of the job is here, as its relay named it. */
  readonly onWhole: (job: string) => void;
  /** It will not come, or not as signed. */
  readonly onRefused: (job: string, refusal: Refusal) => void;
  readonly onFault: (error: unknown) => void;
};

export class FileIntake {
  readonly #options: IntakeOptions;
  readonly #wanted = new Map<string, Wanted>();
  /** Bytes that jobs hold here from the first part on until they have ended. */
  readonly #held = new Map<string, number>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isWoken = false;
  #timer: NodeJS.Timeout | undefined;
  #notBefore = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Answers whether all of it is here already, so that nothing is asked for. */
  add(wanted: Wanted): boolean {
    const { job, files } = wanted;
    const isHere = blobsOf(files).every((blob) => this.#options.sealed.isWhole(job, blob));
    if (isHere) this.#held.set(job, bytesOf(files));
    else {
      this.#wanted.set(job, wanted);
      this.wake();
    }
    return isHere;
  }

  has(job: string): boolean {
    return this.#wanted.has(job);
  }

  /** The job has ended, whatever had come of its files. */
  release(job: string): void {
    this.#wanted.delete(job);
    if (this.#held.delete(job)) this.wake();
  }

  /** A connection is open, or there is room again. */
  connected(): void {
    this.#notBefore = 0;
    this.wake();
  }

  wake(): void {
    this.#isWoken = true;
    this.#running ??= this.#drain().catch(this.#options.onFault);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  // Between the last look at the wish and the end nothing else can run, so no wish is lost.
  async #drain(): Promise<void> {
    // Whoever added a job has said so on the disk; what it finds here is found in a later turn.
    await Promise.resolve();
    try {
      while (this.#isWoken && !this.#stopping.signal.aborted) {
        this.#isWoken = false;
        this.#giveUpExpired();
        for (let next = this.#next(); next !== undefined; next = this.#next()) {
          if (!(await this.#take(next))) break;
        }
      }
    } finally {
      this.#running = undefined;
      this.#setTimer();
    }
  }

  #next(): Wanted | undefined {
    if (this.#stopping.signal.aborted || this.#notBefore > this.#options.now()) return undefined;
    const held = [...this.#held.values()].reduce((sum, bytes) => sum + bytes, 0);
    return [...this.#wanted.values()].find(
      ({ job, files }) => held - (this.#held.get(job) ?? 0) + bytesOf(files) <= MAX_HELD_FILE_BYTES,
    );
  }

  /** Whether to go on with the next job. */
  async #take(wanted: Wanted): Promise<boolean> {
    const connection = this.#options.connection();
    if (connection?.isOpen !== true) return false;
    this.#held.set(wanted.job, bytesOf(wanted.files));
    try {
      await this.#fetchAll(connection, wanted);
      if (this.#wanted.delete(wanted.job)) this.#options.onWhole(wanted.job);
      return true;
    } catch (error) {
      return this.#failed(wanted.job, error);
    }
  }

  #failed(job: string, error: unknown): boolean {
    if (error instanceof ConnectionLost || this.#stopping.signal.aborted) return false;
    if (error instanceof RelayFailure && error.isForNow) {
      this.#notBefore = this.#options.now() + UPLOAD_RETRY_MS;
      return false;
    }
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    this.#refuse(job, refusal);
    return true;
  }

  #refuse(job: string, refusal: Refusal): void {
    if (this.#wanted.delete(job)) this.#options.onRefused(job, refusal);
  }

  async #fetchAll(connection: RelayConnection, { job, files, needs }: Wanted): Promise<void> {
    const { sealed } = this.#options;
    const missing = blobsOf(files).filter((blob) => !sealed.isWhole(job, blob));
    const left = missing.map((blob) => sizeOf(files, blob) - sealed.received(job, blob));
    checkFreeSpace([...needs, ...left.map((bytes) => ({ folder: sealed.root, bytes }))]);
    for (const blob of missing) {
      await this.#fetch(connection, { job, blob, size: sizeOf(files, blob) });
    }
  }

  async #fetch(
    connection: RelayConnection,
    { job, blob, size }: { job: string; blob: string; size: number },
  ): Promise<void> {
    const { sealed, log } = this.#options;
    for (let offset = sealed.received(job, blob); offset < size; offset = sealed.received(job, blob)) {
      const { header, parts } = await this.#orStopped(connection.request({ type: "read-blob", job, blob, offset }));
      // The job may have been ended meanwhile, and its files removed.
      if (!this.#wanted.has(job) || this.#stopping.signal.aborted) throw new ConnectionLost("not wanted any more");
      const [part] = parts;
      if (header.type !== "blob" || part === undefined)
        throw refuse("frame-form", `${header.type} as the answer to read-blob`);
      const isOdd =
        header.size !== size || part.length === 0 || part.length > BLOB_PART_BYTES || offset + part.length > size;
      if (isOdd) throw refuse("file-digest", `${part.length} bytes at ${offset} of ${header.size}, signed for ${size}`);
      sealed.append(job, blob, part);
    }
    await sealed.complete(job, blob);
    log.info({ job, blob, size }, "file of a job has come");
  }

  /** An agent that stops does not wait for a relay's answer. */
  async #orStopped<T>(answer: Promise<T>): Promise<T> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const stop = () => reject(new ConnectionLost("the agent stops"));
    this.#stopping.signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([answer, stopped]);
    } finally {
      this.#stopping.signal.removeEventListener("abort", stop);
    }
  }

  #giveUpExpired(): void {
    const now = this.#options.now();
    for (const { job, expiresAt } of this.#wanted.values())
      if (expiresAt <= now) this.#refuse(job, refuse("file-absent", "it had not come when the job ended"));
  }

  /** For the next job that ends without its files, or the relay that was busy. Node's timers hold 31 bits, and a clock may be set. */
  #setTimer(): void {
    clearTimeout(this.#timer);
    if (this.#wanted.size === 0 || this.#stopping.signal.aborted) return;
    const now = this.#options.now();
    const ends = [...this.#wanted.values()].map(({ expiresAt }) => expiresAt);
    const next = Math.min(...ends, ...(this.#notBefore > now ? [this.#notBefore] : []));
    this.#timer = setTimeout(() => this.wake(), Math.min(Math.max(next - now, 0) + 1, 3_600_000));
  }
}

function bytesOf(files: readonly JobFile[]): number {
  return blobsOf(files).reduce((sum, blob) => sum + sizeOf(files, blob), 0);
}

function sizeOf(files: readonly JobFile[], blob: string): number {
  return sealedSize(files.find((file) => file.blob === blob)?.size ?? 0);
}

/** What a relay denies for good, or a disk, is this job's matter; anything else is a fault. */
function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error.code === "frame-form" ? refuse("file-absent", error.detail) : error;
  if (error instanceof RelayFailure) return refuse("file-absent", `the relay said ${error.code}`);
  return isDiskFull(error) ? refuse("disk-short", "while a file came") : undefined;
}
