// A file that a job brings: its entry in the body, and what the relay keeps of it.
import { toBase64url } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { sealStream } from "../../protocol/stream.ts";
import { seeded } from "./random.ts";

export type FileSetup = {
  readonly path?: string;
  readonly content?: Uint8Array;
  readonly mode?: number;
  readonly owner?: string;
};

/** Bytes that are not all the same, and compress to nothing anybody would mistake for a whole. */
export function contentOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_unused, i) => (i * 31 + (i >> 8)) % 251);
}

export function fileFor({ path = "patch.bin", content = contentOf(100_000), mode, owner }: FileSetup = {}) {
  const key = seeded(`file ${path}`)(32);
  const sealed = sealStream(key, content);
  const file = {
    path,
    blob: digest(sealed),
    size: content.length,
    sha256: digest(content),
    key: toBase64url(key),
    ...(mode === undefined ? {} : { mode }),
    ...(owner === undefined ? {} : { owner }),
  };
  return { file, sealed, content };
}
