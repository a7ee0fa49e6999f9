// One frame on the wire: a short header that says what it is, and parts that the header's reader need not understand (SPEC 10.1).
import { concat } from "./bytes.ts";
import { MAX_FRAME_BYTES, MAX_HEADER_BYTES, MAX_PARTS } from "./limits.ts";
import { refuse } from "./refusal.ts";
import { encodeStrict, type JsonObject, parseStrict } from "./strict-json.ts";

export type Frame = { readonly header: JsonObject; readonly parts: readonly Uint8Array[] };

// Layout, numbers big-endian: header length (4), header, then for each part its length (4) and its bytes.

/** Throws an internal error for a frame that its reader would refuse. */
export function writeFrame(header: JsonObject, parts: readonly Uint8Array[] = []): Uint8Array {
  const head = encodeStrict(header);
  const bytes = concat(...[head, ...parts].flatMap((part) => [length4(part), part]));
  if (head.length > MAX_HEADER_BYTES || bytes.length > MAX_FRAME_BYTES || parts.length > MAX_PARTS)
    throw new Error(`internal error: a frame of ${bytes.length} bytes with a header of ${head.length}`);
  return bytes;
}

/** Takes a frame apart; the parts are views of the same memory. Throws `frame-form` or a `json-*` refusal. */
export function readFrame(bytes: Uint8Array): Frame {
  if (bytes.length > MAX_FRAME_BYTES) throw refuse("frame-form", `${bytes.length} bytes, at most ${MAX_FRAME_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw refuse("frame-form", "cut within a length");
    const size = view.getUint32(at);
    if (at + 4 + size > bytes.length) throw refuse("frame-form", "cut within a part");
    if (pieces.length > MAX_PARTS) throw refuse("frame-form", `more than ${MAX_PARTS} parts`);
    pieces.push(bytes.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  const [header, ...parts] = pieces;
  if (header === undefined) throw refuse("frame-form", "no header");
  return { header: parseStrict(header, MAX_HEADER_BYTES), parts };
}

function length4(part: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, part.length);
  return bytes;
}
