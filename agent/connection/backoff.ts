// How long to wait before the next attempt: drawn from a span that doubles, so that a thousand agents do not come back at once.
import { BACKOFF_CAP_MS, BACKOFF_FIRST_MS } from "../limits.ts";

/** Milliseconds before attempt number `failures` + 1. `draw` is uniform in [0, 1). */
export function backoffMs(failures: number, draw: number): number {
  const span = Math.min(BACKOFF_CAP_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 20));
  return Math.floor(span * draw);
}
