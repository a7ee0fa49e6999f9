// Reading one file for its readers: sealed chunk by chunk into a file of the agent's own, from where it goes to the relay.
import { createHash, type Hash } from "node:crypto";
import { constants, existsSync, mkdirSync, readdirSync, rmSync, type Stats } from "node:fs";
import { type FileHandle, open, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { fetchedWraps, RESULT_SALT_BYTES } from "../../protocol/output.ts";
import { type Outcome, refusedOutcome } from "../../protocol/outcome.ts";
import { CHUNK_BYTES } from "../../protocol/limits.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { CONTENT_KEY_BYTES, type Random } from "../../protocol/seal.ts";
import { chunkCount, sealChunk, sealedSize } from "../../protocol/stream.ts";
import type { Runnable } from "../../protocol/verify-job.ts";
import { checkFreeSpace } from "./free-space.ts";
import { LOOKUP_TIME_MS } from "../limits.ts";
import type { FileResult } from "../answers/outbox.ts";
import type { SystemPlaces } from "../run/account.ts";
import { nameOf } from "../run/name-service.ts";

export type FetchContext = {
  /** Where it is put. */
  readonly folder: string;
  readonly platform: NodeJS.Platform;
  readonly places: SystemPlaces;
  readonly random: Random;
  /** Ends the reading. */
  readonly signal: AbortSignal;
};

export type FetchResult = { readonly outcome: Outcome; readonly file?: FileResult };

/** Why a file is not sent, in the words of the outcome. */
class NotFetched extends Error {
  override readonly name = "NotFetched";
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** Never rejects for what the file is; a failure leaves nothing behind. */
export async function fetchFile({ job, body }: Runnable<"fetch">, context: FetchContext): Promise<FetchResult> {
  const name = job.manifest.job;
  const path = join(context.folder, name);
  try {
    await using from = await openPlain(body.path, context.platform);
    const found = await from.stat();
    if (!found.isFile()) throw new NotFetched("NOT_A_FILE");
    if (found.size > body.maxBytes) throw new NotFetched("TOO_LARGE");
    if (job.manifest.readers.length === 0) throw new NotFetched("NO_READER");
    mkdirSync(context.folder, { recursive: true, mode: 0o700 });
    checkFreeSpace([{ folder: context.folder, bytes: sealedSize(found.size) }]);
    await rm(path, { force: true });
    await using to = await open(path, "wx", 0o600);
    const { statement, manifest } = job;
    const sums = await sealInto(to, from, { size: found.size, readers: manifest.readers, statement, ...context });
    await to.sync();
    return { outcome: await outcomeOf(found, sums.content, context), file: { name, result: sums.sealed } };
  } catch (error) {
    await rm(path, { force: true });
    return { outcome: failureOf(error) };
  }
}

/** After a start: removes what no receipt that waits has for its result. */
export function clearFetched(folder: string, kept: ReadonlySet<string>): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (!kept.has(name)) rmSync(join(folder, name), { force: true });
}

/** Opens no link and no pipe, and on Linux nothing that a link on the way leads to. */
async function openPlain(path: string, platform: NodeJS.Platform): Promise<FileHandle> {
  // Windows has neither of the latter two, and `|` takes what is not there for nothing.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (platform !== "linux" || (await readlink(`/proc/self/fd/${file.fd}`)) === path) return file;
  await file.close();
  throw new NotFetched("ELOOP");
}

type Sealing = {
  readonly size: number;
  readonly readers: readonly string[];
  readonly statement: string;
  readonly random: Random;
  readonly signal: AbortSignal;
};
type Sums = { readonly content: string; readonly sealed: FileResult["result"] };

/** Wraps, then the stream of salt and content. */
async function sealInto(to: FileHandle, from: FileHandle, sealing: Sealing): Promise<Sums> {
  const { size, random, signal } = sealing;
  const key = random(CONTENT_KEY_BYTES);
  const salt = random(RESULT_SALT_BYTES);
  const content = createHash("sha256");
  const out = { to, hash: createHash("sha256"), size: 0 };
  await write(out, fetchedWraps(key, sealing));
  const count = chunkCount(salt.length + size);
  for (let index = 0, at = 0; index < count; index++) {
    if (signal.aborted) throw new NotFetched("ENDED");
    const head = index === 0 ? salt : new Uint8Array(0);
    const plain = new Uint8Array(Math.min(CHUNK_BYTES, head.length + size - at));
    plain.set(head);
    await readWhole(from, plain.subarray(head.length), at);
    at += plain.length - head.length;
    content.update(plain);
    await write(out, sealChunk(key, { index, last: index === count - 1 }, plain));
  }
  await requireEnd(from, size);
  return { content: content.digest("base64url"), sealed: { sha256: out.hash.digest("base64url"), size: out.size } };
}

async function readWhole(from: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < into.length; ) {
    const { bytesRead } = await from.read(into, at, into.length - at, position + at);
    if (bytesRead === 0) throw new NotFetched("CHANGED");
    at += bytesRead;
  }
}

/** A log that grew while it was read is what it was at the beginning; one that shrank is not. */
async function requireEnd(from: FileHandle, size: number): Promise<void> {
  if ((await from.stat()).size < size) throw new NotFetched("CHANGED");
}

async function write(out: { readonly to: FileHandle; readonly hash: Hash; size: number }, bytes: Uint8Array) {
  out.hash.update(bytes);
  out.size += bytes.length;
  for (let at = 0; at < bytes.length; ) at += (await out.to.write(bytes, at)).bytesWritten;
}

async function outcomeOf(
  { size, mode, uid, mtimeMs }: Stats,
  sha256: string,
  { platform, places }: FetchContext,
): Promise<Outcome> {
  const modifiedAt = Math.max(0, Math.floor(mtimeMs));
  if (platform === "win32") return { type: "fetched", size, sha256, modifiedAt };
  const service = { platform, folders: places.programs, until: AbortSignal.timeout(LOOKUP_TIME_MS) };
  const name = await nameOf(uid, service);
  // A name that a receipt could not hold, and a user without one, are told by their number.
  const owner = name !== undefined && /^[!-~]{1,104}$/.test(name) ? name : String(uid);
  return { type: "fetched", size, sha256, mode: mode & 0o7777, owner, modifiedAt };
}

function failureOf(error: unknown): Outcome {
  if (error instanceof Refusal) return refusedOutcome(error);
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (code === undefined) throw error;
  return { type: "fetch-failed", error: /^[A-Z0-9_]{1,40}$/.test(code) ? code : "UNKNOWN" };
}
