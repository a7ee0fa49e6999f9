// A file that a job brings along: where it is to stand, what it is, and the key that opens what the relay carries of it (SPEC 8.8).
import * as v from "valibot";
import { Digest, whole } from "./fields.ts";
import { MAX_FILE_BYTES, MAX_JOB_FILES, MAX_JOB_FILES_BYTES, MAX_PATH_CHARS } from "./limits.ts";

/** No separator of any platform, nothing that Windows keeps for itself, no space or dot at the end. */
const NAME = /^(?!\.{1,2}$)[^\p{Cc}/\\:*?"<>|]{0,254}[^\p{Cc}/\\:*?"<>|. ]$/u;
/** What Windows takes for a device, with any ending. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;
const ABSOLUTE = /^(\/|[A-Za-z]:[\\/])[^\p{Cc}]*[^\p{Cc}/\\]$/u;
/** A step that leads elsewhere than it says, or nowhere. */
const ODD_STEP = /(^|[\\/])\.{1,2}($|[\\/])|\/\//;

/** A name alone stands in the job's own folder; an absolute path is a place on the device. */
export const isFileName = (path: string): boolean => NAME.test(path) && !RESERVED.test(path);

/** Whether a body may say so: either of the two. */
export const isFilePlace = (path: string): boolean => isFileName(path) || (ABSOLUTE.test(path) && !ODD_STEP.test(path));

const JobFile = v.strictObject({
  /** A name for the job's own folder, or an absolute path. */
  path: v.pipe(v.string(), v.maxLength(MAX_PATH_CHARS), v.check(isFilePlace, "a file name or an absolute path")),
  /** SHA-256 of the sealed stream: by this the relay keeps it and gives it out. */
  blob: Digest,
  /** Bytes of the content, and their SHA-256. */
  size: whole(0, MAX_FILE_BYTES),
  sha256: Digest,
  /** Content key of the sealed stream. It is used for nothing else. */
  key: Digest,
  /** 0600 where absent. */
  mode: v.exactOptional(whole(0, 0o7777)),
  /** Whose it shall be; the job's own user where absent. */
  owner: v.exactOptional(v.pipe(v.string(), v.regex(/^[^\s:/\\\0]{1,104}$/))),
});
export type JobFile = Readonly<v.InferOutput<typeof JobFile>>;

export const JobFiles = v.pipe(
  v.array(JobFile),
  v.minLength(1),
  v.maxLength(MAX_JOB_FILES),
  v.check((files) => new Set(files.map(({ path }) => folded(path))).size === files.length, "distinct places"),
  v.check((files) => files.reduce((sum, { size }) => sum + size, 0) <= MAX_JOB_FILES_BYTES, "files of a bounded size"),
);

/** Two spellings that some file systems take for one. ASCII alone: what else is folded differs by system and year. */
function folded(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** What the relay has to keep for these, each once. */
export function blobsOf(files: readonly JobFile[] | undefined): string[] {
  return [...new Set((files ?? []).map(({ blob }) => blob))];
}
