// What of a signed output is still to be shown after some of it was streamed.
import type { KeptStream } from "../../protocol/output.ts";

/** `left` bytes were kept by nobody; what stands before them and after them follows what was shown. */
export type Rest = { readonly before: Uint8Array; readonly left: number; readonly after: Uint8Array };

/** The rest of a stream of which the first `shown` bytes have been shown. */
export function restOf({ size, head, tail }: KeptStream, shown: number): Rest {
  const tailAt = size - tail.length;
  const before = head.subarray(Math.min(shown, head.length));
  const left = Math.max(0, tailAt - Math.max(shown, head.length));
  return { before, left, after: tail.subarray(Math.min(tail.length, Math.max(0, shown - tailAt))) };
}
