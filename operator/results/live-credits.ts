// What this client takes of live output: as much as fits between the devices and whoever reads what it writes. Where that reader is
// slow no more is taken, so that nothing piles up here, at the relay or on a device.
import { LIVE_FIRST_BYTES, MAX_LIVE_CREDITS } from "../../protocol/limits.ts";
import type { JsonObject } from "../../protocol/strict-json.ts";
import { LIVE_TELL_MS, LIVE_WINDOW_BYTES, LIVE_WINDOWS_BYTES, MAX_UNREAD_BYTES } from "../limits.ts";
import type { Output } from "../world.ts";

type Stream = { readonly job: string; readonly device: string; taken: number; upTo: number };

export class LiveCredits {
  readonly #tell: (header: JsonObject) => void;
  readonly #outputs: readonly Output[];
  readonly #window: number;
  readonly #streams = new Map<string, Stream>();
  readonly #due = new Set<Stream>();
  #timer: NodeJS.Timeout | undefined;
  /** Whether what is due will be told, after a moment or when what was written has been read. */
  #isTelling = false;

  /** `streams` is how many there may be at once: they share what may be on its way. */
  constructor(tell: (header: JsonObject) => void, outputs: readonly Output[], streams: number) {
    this.#tell = tell;
    this.#outputs = outputs;
    this.#window = windowOf(streams);
  }

  /** Whether so much waits to be read that nothing more is taken, whatever a relay sends. */
  get isFull(): boolean {
    return this.#outputs.some(({ writableLength }) => writableLength > MAX_UNREAD_BYTES);
  }

  /** Bytes of a device's sealed chunks have been taken; none at the beginning of its stream. */
  take(job: string, device: string, bytes: number): void {
    const key = `${job} ${device}`;
    const stream = this.#streams.get(key) ?? { job, device, taken: 0, upTo: 0 };
    this.#streams.set(key, stream);
    stream.taken += bytes;
    if (stream.upTo - stream.taken > this.#window / 2) return;
    this.#due.add(stream);
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.#timer = setTimeout(() => this.#tellSoon(), LIVE_TELL_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#due.clear();
  }

  /** At once, or when what was written has been read. */
  #tellSoon(): void {
    const full = this.#outputs.find(({ writableNeedDrain, destroyed }) => writableNeedDrain && !destroyed);
    if (full === undefined) this.#tellDue();
    else full.once("drain", () => this.#tellSoon());
  }

  #tellDue(): void {
    this.#isTelling = false;
    const due = [...this.#due];
    this.#due.clear();
    for (let at = 0; at < due.length; at += MAX_LIVE_CREDITS) {
      const credits = due.slice(at, at + MAX_LIVE_CREDITS).map((stream) => this.#raise(stream));
      this.#tell({ type: "take-live", credits });
    }
  }

  #raise(stream: Stream): { job: string; device: string; upTo: number } {
    stream.upTo = stream.taken + this.#window;
    const { job, device, upTo } = stream;
    return { job, device, upTo };
  }
}

function windowOf(streams: number): number {
  const share = Math.floor(LIVE_WINDOWS_BYTES / Math.max(1, streams));
  return Math.max(LIVE_FIRST_BYTES, Math.min(LIVE_WINDOW_BYTES, share));
}
