// SHA-256 of a file of any size, a piece at a time, so that nothing else waits for it.
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { FILE_PIECE_BYTES } from "../limits.ts";

export async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  const piece = new Uint8Array(FILE_PIECE_BYTES);
  await using file = await open(path, "r");
  for (;;) {
    const { bytesRead } = await file.read(piece, 0, piece.length);
    if (bytesRead === 0) return hash.digest("base64url");
    hash.update(piece.subarray(0, bytesRead));
  }
}
