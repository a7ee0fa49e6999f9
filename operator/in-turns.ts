// Doing something for many items, a bounded number of them at a time.
import { MAX_REQUESTS_AT_ONCE } from "./limits.ts";

/** Calls `work` for each item, at most `MAX_REQUESTS_AT_ONCE` at a time; the first failure stops it and is thrown. */
export async function inTurns<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: MAX_REQUESTS_AT_ONCE }, lane));
}
