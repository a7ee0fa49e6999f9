// A log in a file, for systems whose service manager keeps none: bounded, with older files beside it as FILE.1, FILE.2 and so on.
import { closeSync, fchmodSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { KEPT_LOGS, MAX_LOG_BYTES } from "../limits.ts";

export type LogBounds = { readonly maxBytes: number; readonly kept: number };

/** A disk that takes no line is no reason to stop working: lines are lost then, and told of when it takes one again. */
export class LogFile {
  readonly #path: string;
  readonly #bounds: LogBounds;
  #open: { readonly descriptor: number; bytes: number } | undefined;
  #lost = 0;

  /** Goes on with a file that is there. */
  constructor(path: string, bounds: LogBounds = { maxBytes: MAX_LOG_BYTES, kept: KEPT_LOGS }) {
    this.#path = path;
    this.#bounds = bounds;
  }

  /** A whole line, its end with it. Does not throw. */
  write(line: string): void {
    try {
      const told = this.#lost === 0 ? "" : `{"level":50,"msg":"${this.#lost} lines of this log were lost"}\n`;
      this.#append(Buffer.from(`${told}${line}`, "utf8"));
      this.#lost = 0;
    } catch {
      this.#lost++;
    }
  }

  #append(bytes: Uint8Array): void {
    this.#open ??= openLogFile(this.#path);
    if (this.#open.bytes > 0 && this.#open.bytes + bytes.length > this.#bounds.maxBytes)
      this.#turn(this.#open.descriptor);
    for (let at = 0; at < bytes.length; ) {
      const written = writeSync(this.#open.descriptor, bytes, at);
      this.#open.bytes += written;
      at += written;
    }
  }

  /**
   * Each file gets the number after its own, the last one is gone, and an empty one begins: made first, so that a disk that has no room for it
   * turns nothing.
   */
  #turn(former: number): void {
    const next = `${this.#path}.new`;
    const opened = openLogFile(next);
    try {
      for (let number = this.#bounds.kept; number > 0; number--) {
        const from = number === 1 ? this.#path : `${this.#path}.${number - 1}`;
        renameUnlessGone(from, `${this.#path}.${number}`);
      }
      renameSync(next, this.#path);
    } catch (error) {
      closeSync(opened.descriptor);
      throw error;
    }
    this.#open = opened;
    closeSync(former);
  }
}

/** Root's to read, as journals are; whoever made it before, such as launchd, lets everybody. */
function openLogFile(path: string): { readonly descriptor: number; bytes: number } {
  const descriptor = openSync(path, "a", 0o600);
  fchmodSync(descriptor, 0o600);
  return { descriptor, bytes: fstatSync(descriptor).size };
}

function renameUnlessGone(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
