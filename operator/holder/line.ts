// One line from a stream that a stranger may write to, within a bound of size and of time.
import type { Readable } from "node:stream";
import { concat } from "../../protocol/bytes.ts";
import { HOLDER_PATIENCE_MS, MAX_HOLDER_LINE_BYTES } from "../limits.ts";

const LINE_END = 0x0a;

/**
 * The bytes before the first line end; `undefined` where they are too many or too slow, or the stream ends or breaks
 * before. What comes after is dropped. The stream is left open.
 */
export function readLine(stream: Readable, patienceMs = HOLDER_PATIENCE_MS): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const chunks: Uint8Array[] = [];
  let size = 0;
  const timer = setTimeout(() => resolve(undefined), patienceMs);
  const onData = (chunk: Uint8Array) => {
    const end = chunk.indexOf(LINE_END);
    chunks.push(end < 0 ? chunk : chunk.subarray(0, end));
    size += chunks.at(-1)?.length ?? 0;
    if (size > MAX_HOLDER_LINE_BYTES) resolve(undefined);
    else if (end >= 0) resolve(concat(...chunks));
  };
  const onEnd = () => resolve(undefined);
  stream.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onEnd);
  return promise.finally(() => {
    clearTimeout(timer);
    // The error's listener stays: what breaks later is nobody's fault.
    stream.off("data", onData).off("end", onEnd).off("close", onEnd);
  });
}
