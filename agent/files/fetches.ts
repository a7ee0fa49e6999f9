// Files that are being read for their readers: each by its job, until it has its outcome or is ended.
import type { Outcome } from "../../protocol/outcome.ts";
import type { Random } from "../../protocol/seal.ts";
import type { Runnable } from "../../protocol/verify-job.ts";
import type { EndCause, RunEnvironment } from "../run/run-job.ts";
import { clearFetched, fetchFile, type FetchResult } from "./fetch-file.ts";

export class Fetches {
  readonly #environment: RunEnvironment;
  readonly #random: Random;
  readonly #ends = new Map<string, (by: EndCause) => void>();

  constructor({ environment, random }: { readonly environment: RunEnvironment; readonly random: Random }) {
    this.#environment = environment;
    this.#random = random;
  }

  get running(): number {
    return this.#ends.size;
  }

  /** After a start: removes what is no result that waits for the relay. */
  recover(results: ReadonlySet<string>): void {
    clearFetched(this.#environment.fetched, results);
  }

  /** Reads the file; the first cause that ends it is its outcome. It counts as running until `done`. */
  async read(runnable: Runnable<"fetch">): Promise<FetchResult> {
    const ending = new AbortController();
    let ended: Outcome | undefined;
    this.#ends.set(runnable.job.manifest.job, (by) => {
      ended ??= { type: "cancelled", by };
      ending.abort();
    });
    const { fetched: folder } = this.#environment;
    const context = { ...this.#environment, folder, random: this.#random, signal: ending.signal };
    const result = await fetchFile(runnable, context);
    return ended === undefined ? result : { outcome: ended };
  }

  /** It has its receipt. */
  done(job: string): void {
    this.#ends.delete(job);
  }

  end(job: string, by: EndCause): void {
    this.#ends.get(job)?.(by);
  }

  endAll(by: EndCause): void {
    for (const end of this.#ends.values()) end(by);
  }
}
