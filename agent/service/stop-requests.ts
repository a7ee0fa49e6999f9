// How the daemon hears that it is to stop: a signal, or the end of its standard input where whoever started it holds that.

/** Windows has no signal for a program without a console, and an end of input is heard on every platform. */
export class StopRequests implements Disposable {
  readonly #controller = new AbortController();
  readonly #stop = (): void => this.#controller.abort();
  readonly #untilInputEnds: boolean;

  constructor(untilInputEnds: boolean) {
    this.#untilInputEnds = untilInputEnds;
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, this.#stop);
    // An error of it, such as a pipe whose other end died, is its end too.
    if (untilInputEnds) process.stdin.once("end", this.#stop).once("error", this.#stop).resume();
  }

  /** The agent's own: another version is to be started. */
  request(): void {
    this.#controller.abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stops reading, which would keep the process. */
  [Symbol.dispose](): void {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, this.#stop);
    if (this.#untilInputEnds) process.stdin.destroy();
  }
}
