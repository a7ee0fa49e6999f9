// One vector of a refusal: an input that one code refuses, and the same input with that one fault mended.
import { toBase64, utf8 } from "../../../protocol/bytes.ts";
import type { RefusalCode } from "../../../protocol/refusal.ts";

export type RefusalCase = {
  readonly code: RefusalCode;
  /** What is wrong with `refused` and right with `mended`. */
  readonly says: string;
  /** Which reader it is for. */
  readonly reader: string;
  readonly refused: object;
  readonly mended: object;
};

/** Cases of one reader: code, words, refused, mended. */
export function casesOf(
  reader: string,
  rows: readonly (readonly [code: RefusalCode, says: string, refused: object, mended: object])[],
): readonly RefusalCase[] {
  return rows.map(([code, says, refused, mended]) => ({ code, says, reader, refused, mended }));
}

export const b64 = (bytes: Uint8Array): string => toBase64(bytes);
export const b64Text = (text: string): string => toBase64(utf8(text));
