// `--file LOCAL[:REMOTE]` as files to bring: which is meant, that it can be read, and where it is to stand.
import { statSync } from "node:fs";
import { basename, win32 } from "node:path";
import { isFilePlace } from "../../protocol/job-file.ts";
import { MAX_FILE_BYTES, MAX_JOB_FILES } from "../../protocol/limits.ts";
import { Fault, systemCode } from "../fault.ts";
import { plain } from "../present/escape.ts";

export type FileOptions = {
  readonly file?: readonly string[];
  readonly fileMode?: number;
  readonly fileOwner?: string;
};

export type LocalFile = {
  readonly local: string;
  /** A name for the job's own folder, or an absolute path on the device. */
  readonly path: string;
  readonly size: number;
  readonly mode: number;
  readonly owner: string | undefined;
};

/** Throws `misuse`, `file-missing` or `file-large`. */
export function localFiles(
  { file: specs = [], fileMode, fileOwner }: FileOptions,
  platform: NodeJS.Platform,
): readonly LocalFile[] {
  if (specs.length > MAX_JOB_FILES) throw new Fault("misuse", `--file: at most ${MAX_JOB_FILES}`);
  return specs.map((spec) => {
    const { local, remote } = splitFile(spec, platform);
    const path = remote ?? (platform === "win32" ? win32.basename(local) : basename(local));
    if (!isFilePlace(path))
      throw new Fault("misuse", `--file ${plain(spec)}: ${plain(path)} is neither a name nor an absolute path`);
    const { size, isProgram } = measured(local);
    return { local, path, size, mode: fileMode ?? (isProgram ? 0o700 : 0o600), owner: fileOwner };
  });
}

/** At the first colon, but for that of a drive where this machine has drives. What follows it may have more of them. */
export function splitFile(
  spec: string,
  platform: NodeJS.Platform,
): { readonly local: string; readonly remote: string | undefined } {
  const hasDrive = platform === "win32" && /^[A-Za-z]:/.test(spec);
  const at = spec.indexOf(":", hasDrive ? 2 : 0);
  const local = at < 0 ? spec : spec.slice(0, at);
  const remote = at < 0 ? undefined : spec.slice(at + 1);
  if (local === "" || remote === "") throw new Fault("misuse", `--file ${plain(spec)}: LOCAL or LOCAL:REMOTE`);
  return { local, remote };
}

function measured(path: string): { readonly size: number; readonly isProgram: boolean } {
  try {
    const found = statSync(path);
    if (!found.isFile()) throw new Fault("file-missing", `${path} is no file`);
    if (found.size > MAX_FILE_BYTES)
      throw new Fault("file-large", `${path} of ${found.size} bytes, at most ${MAX_FILE_BYTES}`);
    return { size: found.size, isProgram: process.platform !== "win32" && (found.mode & 0o100) !== 0 };
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof Fault || code === undefined) throw error;
    throw new Fault("file-missing", `${path} (${code})`, { cause: error });
  }
}
