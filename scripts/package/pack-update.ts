/** Packs the files of an agent's program as a self-update archive (SPEC 8.10): sums of all of them first, tar, zstd. */
import { createHash } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import { MAX_FILE_BYTES } from "../../protocol/limits.ts";
import { type TarFile, tarOf } from "./tar.ts";

/** As the .deb: 2 s of a processor. Level 15 takes thirty times as long for a fortieth less. */
const LEVEL = 9;

/** Throws where a job could not bring it. */
export function packUpdate(files: readonly TarFile[], epochS: number): Uint8Array {
  const ordered = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const sums = ordered.map(({ name, content }) => `${createHash("sha256").update(content).digest("hex")}  ${name}\n`);
  const listed: TarFile = { name: "SHA256SUMS", mode: 0o644, content: Buffer.from(sums.join("")) };
  const params = { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 };
  const packed = zstdCompressSync(tarOf([listed, ...ordered], epochS), { params });
  if (packed.length <= MAX_FILE_BYTES) return packed;
  throw new Error(`an update of ${packed.length} bytes, at most ${MAX_FILE_BYTES}`);
}
