// Waiting for the answers to jobs that were just sent: pushes go through the follower, receipts are verified as they come.
import { MAX_OUTPUT_BYTES } from "../../protocol/limits.ts";
import type { KeptStream } from "../../protocol/output.ts";
import type { Stream } from "../../protocol/outcome.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { JobManifest } from "../../protocol/job.ts";
import { Fault } from "../fault.ts";
import { AT_START, type Effect, type Followed, step } from "./follow-job.ts";
import { LiveCredits } from "./live-credits.ts";
import { LiveStream } from "./live-stream.ts";
import { readAnswer, readOutput, verifyChain } from "./read-result.ts";
import { readerOf } from "./reader.ts";
import type { Message } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";

/** How a device's job ended, as far as this client can prove it. */
export type DeviceResult =
  | {
      readonly type: "answered";
      readonly receipt: Receipt;
      readonly id: string;
      readonly output: readonly KeptStream[];
    }
  /** The answer, or what came with it, does not verify; `receipt` where it alone does. */
  | { readonly type: "untrusted"; readonly error: Fault | Refusal; readonly receipt?: Receipt }
  /** The device's own word, unsigned. */
  | { readonly type: "refused-unsigned"; readonly note: string }
  /** The relay's word: it passed its end before the device took it. */
  | { readonly type: "expired" };

export type Target = { readonly job: string; readonly device: RosterDevice };

/** Who is told while it goes on. */
export type Watcher = {
  /** Wants states and results only. */
  readonly isQuiet: boolean;
  readonly onState: (target: Target, followed: Followed) => void;
  readonly onOutput: (target: Target, stream: Stream, bytes: Uint8Array) => void;
  /** Before output: so many bytes of the stream did not come. */
  readonly onMissed: (target: Target, stream: Stream, bytes: number) => void;
  /** `told` is the place in each stream up to which it was told as live output. */
  readonly onResult: (target: Target, result: DeviceResult, told: Readonly<Record<Stream, number>>) => void;
};

export type WatchedJob = {
  readonly manifest: JobManifest;
  readonly statement: string;
  readonly targets: readonly RosterDevice[];
  /** The body's output limit. */
  readonly outputBytes: number;
};

type Entry = {
  readonly target: Target;
  readonly job: WatchedJob;
  readonly live: LiveStream;
  followed: Followed;
  result: DeviceResult | undefined;
};

export class JobWatch {
  readonly #session: Session;
  readonly #watcher: Watcher;
  readonly #entries = new Map<string, Entry>();
  readonly #done = Promise.withResolvers<void>();
  readonly #given = new Set<string>();
  readonly #credits: LiveCredits;
  #left: number;
  #onWaitingNews: () => void = () => undefined;

  constructor(session: Session, jobs: readonly WatchedJob[], watcher: Watcher) {
    this.#session = session;
    this.#watcher = watcher;
    for (const job of jobs) for (const device of job.targets) this.#add(job, device);
    this.#left = this.#entries.size;
    const { stdout, stderr } = session.desk.world;
    this.#credits = new LiveCredits((header) => session.client.tell(header), [stdout, stderr], this.#left);
    // Somebody may never wait: a job that could not even be sent.
    this.#done.promise.catch(() => undefined);
    session.client.listen(
      (message) => this.#onPush(message),
      (fault) => this.#done.reject(fault),
    );
  }

  /** Whether live output is left to the receipts. */
  get isQuiet(): boolean {
    return this.#watcher.isQuiet;
  }

  /** Resolves when every device has settled, or when `signal` ends the waiting; rejects when the relay is lost. */
  async settled(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    if (signal.aborted) return;
    signal.addEventListener("abort", onAbort);
    try {
      await Promise.race([this.#done.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#credits.end();
    }
  }

  /** Every device with what is known of it; no result where it has not answered. */
  get results(): readonly {
    readonly target: Target;
    readonly followed: Followed;
    readonly result: DeviceResult | undefined;
  }[] {
    return [...this.#entries.values()];
  }

  /** Of a job that is watched. */
  manifestOf(job: string): JobManifest {
    for (const entry of this.#entries.values()) if (entry.target.job === job) return entry.job.manifest;
    throw new Error(`internal error: job ${job} is not watched`);
  }

  /** Calls back when the relay says that something about what waits for signatures has changed. */
  onWaitingNews(callback: () => void): void {
    this.#onWaitingNews = callback;
  }

  /** Takes what the relay tells as if it had been pushed: of a job that went on before it was watched. */
  take(message: Message): void {
    this.#onPush(message);
  }

  /** Waits no longer for the devices of a job, which have no result then. */
  giveUp(job: string): void {
    if (this.#given.has(job)) return;
    this.#given.add(job);
    for (const { target, result } of this.#entries.values()) {
      if (target.job === job && result === undefined) this.#countDown();
    }
  }

  #countDown(): void {
    if (--this.#left === 0) this.#done.resolve();
  }

  #add(job: WatchedJob, device: RosterDevice): void {
    const { sealing } = this.#session.desk.home.access;
    const { statement, manifest, outputBytes } = job;
    const live = new LiveStream({
      readers: manifest.readers,
      statement,
      pair: sealing,
      outputBytes: Math.min(outputBytes, MAX_OUTPUT_BYTES),
    });
    const target = { job: manifest.job, device };
    this.#entries.set(keyOf(manifest.job, device.device), { target, job, live, followed: AT_START, result: undefined });
  }

  #onPush(message: Message): void {
    const { header } = message;
    if (header.type === "waiting-news") return this.#onWaitingNews();
    if (!("job" in header) || !("device" in header)) return;
    const entry = this.#entries.get(keyOf(header.job, header.device));
    if (entry === undefined) return;
    const { after, effect } = step(entry.followed, message);
    const hasMoved = after !== entry.followed;
    entry.followed = after;
    if (effect !== undefined) this.#carryOut(entry, effect);
    if (hasMoved) this.#watcher.onState(entry.target, after);
    if (after.settled === "refused") this.#settle(entry, { type: "refused-unsigned", note: after.note ?? "" });
    if (after.settled === "expired") this.#settle(entry, { type: "expired" });
  }

  #carryOut(entry: Entry, effect: Effect): void {
    switch (effect.type) {
      case "live-opened":
        return this.#onOpened(entry, effect.wraps);
      case "live":
        return this.#onLive(entry, effect.index, effect.sealed);
      case "receipt":
        // Whatever goes wrong in it is the device's result, or ends the whole wait.
        this.#onReceipt(entry, effect.envelope).catch((error: unknown) => this.#done.reject(error));
        return;
      default:
        return;
    }
  }

  #onOpened(entry: Entry, wraps: Uint8Array): void {
    if (this.isQuiet || !entry.live.open(wraps)) entry.followed = { ...entry.followed, live: "broken" };
    else this.#credits.take(entry.target.job, entry.target.device.device, 0);
  }

  #onLive(entry: Entry, index: number, sealed: Uint8Array): void {
    const { target, live } = entry;
    if (this.#credits.isFull) return;
    const chunk = live.read(index, sealed);
    // What does not open: the receipt's output takes over from here.
    if (chunk === undefined) return void (entry.followed = { ...entry.followed, live: "broken" });
    if (chunk.missed > 0) this.#watcher.onMissed(target, chunk.stream, chunk.missed);
    this.#watcher.onOutput(target, chunk.stream, chunk.bytes);
    this.#credits.take(target.job, target.device.device, sealed.length);
  }

  async #onReceipt(entry: Entry, envelope: Uint8Array): Promise<void> {
    this.#settle(entry, await this.#judge(entry, envelope));
  }

  async #judge({ target, job, live }: Entry, envelope: Uint8Array): Promise<DeviceResult> {
    const session = this.#session;
    let receipt: Receipt | undefined;
    try {
      const read = readAnswer(envelope, { asked: job, device: target.device, tenant: session.state.tenant });
      await verifyChain(session, target.device, read);
      ({ receipt } = read);
      const { readers } = job.manifest;
      const reader = readerOf(session.desk.home.access.sealing);
      const output = await readOutput(session, receipt, { readers, reader });
      if (!live.agreesWith(receipt, output)) throw new Fault("output-differs", target.device.name);
      return { type: "answered", receipt, id: read.id, output };
    } catch (error) {
      const isOurs = error instanceof Refusal || (error instanceof Fault && error.code !== "relay-unreachable");
      if (!isOurs) throw error;
      return { type: "untrusted", error, ...(receipt === undefined ? {} : { receipt }) };
    }
  }

  #settle(entry: Entry, result: DeviceResult): void {
    const isFirst = entry.result === undefined;
    entry.result = result;
    const told = { stdout: entry.live.size("stdout"), stderr: entry.live.size("stderr") };
    this.#watcher.onResult(entry.target, result, told);
    if (isFirst && !this.#given.has(entry.target.job)) this.#countDown();
  }
}

function keyOf(job: string, device: string): string {
  return `${job} ${device}`;
}
