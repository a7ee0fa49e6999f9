// Unpacking an update: first it is read to its end, to know that it is the one that was signed and what it takes; then into its folder.
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { constants, createZstdDecompress } from "node:zlib";
import { concat, text } from "../../protocol/bytes.ts";
import type { JobFile } from "../../protocol/job-file.ts";
import { MAX_UPDATE_BYTES, MAX_UPDATE_FILES } from "../../protocol/limits.ts";
import type { Platform } from "../../protocol/platform.ts";
import { refuse } from "../../protocol/refusal.ts";
import { checkFreeSpace } from "../files/free-space.ts";
import { openedChunks } from "../files/opened-file.ts";
import { UNPACK_WINDOW_LOG } from "../limits.ts";
import { type TarEvent, TarReader } from "./read-tar.ts";

export type Packed = {
  /** The sealed file, whole, and what was signed of it. */
  readonly sealed: string;
  readonly file: JobFile;
  readonly platform: Platform;
  /** Ends the unpacking; what was written is the caller's to remove. */
  readonly signal: AbortSignal;
};

export type Room = {
  /** A folder on the disk that it goes to. */
  readonly disk: string;
  /** Makes the folder that it goes to, empty. */
  readonly makeFolder: () => string;
};

type Listed = { readonly name: string; readonly bytes: number; readonly sha256: string };

const SUMS = "SHA256SUMS";
/** A line of it: a hash, two spaces, a name, and its end. */
const MAX_SUMS_BYTES = MAX_UPDATE_FILES * (64 + 2 + 64 + 1);

/**
 * Its files, in a folder that `makeFolder` makes and answers once the archive has been checked; their names are not synced. Throws `file-digest`,
 * `update-archive` or `disk-short`.
 */
export async function unpackUpdate(packed: Packed, { disk, makeFolder }: Room): Promise<void> {
  const listed = await checkArchive(packed);
  checkFreeSpace([{ folder: disk, bytes: listed.reduce((sum, { bytes }) => sum + bytes, 0) }]);
  const folder = makeFolder();
  await using writer = new Writer(folder);
  for await (const event of filesOf(packed)) await writer.take(event);
}

async function checkArchive(packed: Packed): Promise<readonly Listed[]> {
  // Nothing of it is looked at before it is known to be what was signed.
  await using whole = openedChunks(packed.sealed, packed.file);
  while ((await whole.next()).done !== true) packed.signal.throwIfAborted();
  const summing = new Summing();
  for await (const event of filesOf(packed)) summing.take(event);
  return summing.checked(packed.platform);
}

async function* filesOf(packed: Packed) {
  const tar = new TarReader();
  for await (const bytes of decompressed(packed)) yield* tar.read(bytes);
  tar.end();
}

/** No more than what an update may be, from no more memory than a window of eight mebibytes takes. */
async function* decompressed({ sealed, file, signal }: Packed): AsyncGenerator<Uint8Array, void> {
  const params = { [constants.ZSTD_d_windowLogMax]: UNPACK_WINDOW_LOG };
  const unpacking = createZstdDecompress({ params });
  // What goes wrong ends the reading below with it.
  pipeline(Readable.from(openedChunks(sealed, file), { signal }), unpacking, () => undefined);
  let size = 0;
  try {
    for await (const bytes of unpacking) {
      size += bytes.length;
      // What fills the blocks of a tar, and its headers.
      if (size > MAX_UPDATE_BYTES + MAX_UPDATE_FILES * 1024 + 10_240)
        throw refuse("update-archive", `more than ${MAX_UPDATE_BYTES} bytes`);
      yield bytes;
    }
  } catch (error) {
    throw isZstdError(error) ? refuse("update-archive", "no zstd, or cut") : error;
  }
}

function isZstdError(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(ZSTD_|Z_)/.test(String(error.code));
}

/** What the archive holds, held against what it lists. */
class Summing {
  readonly #found: Listed[] = [];
  readonly #sums: Uint8Array[] = [];
  #at: { readonly name: string; readonly bytes: number; readonly hash: Hash } | undefined;

  take(event: TarEvent): void {
    if (event.type === "file") {
      if (this.#found.length >= MAX_UPDATE_FILES) throw refuse("update-archive", `more than ${MAX_UPDATE_FILES} files`);
      this.#at = { name: event.name, bytes: event.size, hash: createHash("sha256") };
      if (event.name === SUMS && event.size > MAX_SUMS_BYTES) throw refuse("update-archive", `${SUMS} is too large`);
    } else if (event.type === "bytes") {
      this.#at?.hash.update(event.bytes);
      if (this.#at?.name === SUMS) this.#sums.push(event.bytes.slice());
    } else if (this.#at !== undefined) {
      const { name, bytes, hash } = this.#at;
      this.#found.push({ name, bytes, sha256: hash.digest("hex") });
    }
  }

  checked(platform: Platform): readonly Listed[] {
    const [first, ...others] = this.#found;
    if (first?.name !== SUMS) throw refuse("update-archive", `${SUMS} is not its first file`);
    const lines = others.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
    if (text(concat(...this.#sums)) !== lines) throw refuse("update-archive", `its files are not those of ${SUMS}`);
    const names = this.#found.map(({ name }) => name.toLowerCase());
    if (new Set(names).size !== names.length) throw refuse("update-archive", "one name twice");
    for (const name of neededOn(platform))
      if (!others.some((file) => file.name === name)) throw refuse("update-archive", `no ${name}`);
    return this.#found;
  }
}

function neededOn(platform: Platform): readonly string[] {
  const bundles = ["keybound-agent.cjs", "keybound-agent-inventory.cjs"];
  return platform.startsWith("windows") ? ["node.exe", "keybound-job-launcher.exe", ...bundles] : ["node", ...bundles];
}

/** Puts files into a folder that is empty. */
class Writer implements AsyncDisposable {
  readonly #folder: string;
  #file: FileHandle | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async take(event: TarEvent): Promise<void> {
    if (event.type === "file") {
      this.#file = await open(join(this.#folder, event.name), "wx", event.mode);
      // Whatever the process's own mask.
      await this.#file.chmod(event.mode);
    } else if (event.type === "bytes") {
      if (this.#file === undefined) throw new Error("internal error: bytes of no file");
      for (let at = 0; at < event.bytes.length; ) at += (await this.#file.write(event.bytes, at)).bytesWritten;
    } else {
      // Here it holds nothing up; what a slow disk had to take at once before the trial would.
      await this.#file?.sync();
      await this[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}
