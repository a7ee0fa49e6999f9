// The live streams that run: the first frame of each, for late watchers, and its flow, by device and job.
import { LiveFlow } from "./live-flow.ts";
import { MAX_LIVE_HEADS } from "./limits.ts";
import type { OperatorSession } from "./operator-session.ts";

export class LiveStream {
  readonly flow = new LiveFlow<OperatorSession>();
  wraps: Uint8Array;
  #timer: NodeJS.Timeout | undefined;

  constructor(wraps: Uint8Array) {
    this.wraps = wraps;
  }

  /** Calls back once, after this time; an earlier call for it is forgotten. */
  wakeIn(ms: number, callback: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(callback, ms).unref();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

type Beginning = {
  readonly device: string;
  readonly job: string;
  readonly wraps: Uint8Array;
  readonly watchers: Iterable<OperatorSession>;
};

export class LiveStreams {
  readonly #byDevice = new Map<string, Map<string, LiveStream>>();

  /** A stream's wraps have come, for the first time or again. A device that has too many streams loses the oldest. */
  begin({ device, job, wraps, watchers }: Beginning): void {
    const streams = this.#byDevice.get(device) ?? new Map<string, LiveStream>();
    this.#byDevice.set(device, streams);
    const stream = streams.get(job) ?? new LiveStream(wraps);
    stream.wraps = wraps;
    stream.flow.begin(watchers);
    streams.delete(job);
    const [oldest] = streams.keys();
    if (streams.size >= MAX_LIVE_HEADS && oldest !== undefined) this.drop(device, oldest);
    streams.set(job, stream);
  }

  find(device: string, job: string): LiveStream | undefined {
    return this.#byDevice.get(device)?.get(job);
  }

  /** Jobs that a device streams. */
  jobsOf(device: string): readonly string[] {
    return [...(this.#byDevice.get(device)?.keys() ?? [])];
  }

  /** Devices that stream a job. */
  devicesOf(job: string): readonly string[] {
    return [...this.#byDevice].flatMap(([device, streams]) => (streams.has(job) ? [device] : []));
  }

  leave(session: OperatorSession, jobs: Iterable<string>): void {
    const left = new Set(jobs);
    for (const streams of this.#byDevice.values()) {
      for (const [job, { flow }] of streams) if (left.has(job)) flow.leave(session);
    }
  }

  drop(device: string, job: string): void {
    const streams = this.#byDevice.get(device);
    streams?.get(job)?.end();
    streams?.delete(job);
    if (streams?.size === 0) this.#byDevice.delete(device);
  }
}
