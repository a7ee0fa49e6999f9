// How a program gets a text that nobody else may read, such as a job's source: never on a command line, never in a file that others can
// read, nothing left behind.
import { closeSync, fchownSync, mkdirSync, openSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { windowsSource } from "./windows-source.ts";
export type Source = {
  /** What the program is told to read. */
  readonly path: string;
  /** The agent's descriptor that is to become the child's, where the path refers to that. */
  readonly descriptor: number | undefined;
  /** Ends the agent's hold on it; to be called once the child has been started, and again changes nothing. */
  readonly release: () => void;
  /** Removes what is left, after the job has ended. */
  readonly remove: () => void;
  /** Whether the interpreter has come to it, where that can be known. */
  readonly hasBegun?: () => boolean;
  /** Windows: the job's own folder, to which a session's user gets access, and the file that is written when the shell has begun. */
  readonly place?: { readonly folder: string; readonly begun?: string | undefined };
};

export type SourceInput = {
  readonly text: string;
  /** Who reads it, where that is not the agent's own user. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly jobs: string;
  /** A name that nothing else has, such as the job's id. */
  readonly name: string;
  readonly extension: string;
  /** The child's descriptor that is to hold it, on POSIX. */
  readonly as: number;
  /** Whether it is for a logged-on user, in that user's session. */
  readonly inSession: boolean;
};

/** A source for the interpreter on this platform. What a crash leaves behind, `clearSources` removes at the next start. */
export function placeSource(input: SourceInput, platform: NodeJS.Platform): Source {
  mkdirSync(input.jobs, { recursive: true, mode: 0o700 });
  return platform === "win32" ? windowsSource(input) : unlinkedFile(input);
}

export function clearSources(jobs: string): void {
  rmSync(jobs, { recursive: true, force: true });
}

/** POSIX: the file is unlinked before anything is in it; the child reads it through its descriptor. */
function unlinkedFile({ text, owner, jobs, name, as }: SourceInput): Source {
  const path = join(jobs, name);
  const writing = openSync(path, "wx", 0o600);
  const descriptor = openSync(path, "r");
  try {
    unlinkSync(path);
    writeAll(writing, text);
    // The child opens /dev/fd/N anew, which Linux checks against the file's owner.
    if (owner !== undefined) fchownSync(writing, owner.uid, owner.gid);
  } finally {
    closeSync(writing);
  }
  let isOpen = true;
  const release = () => {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
  };
  return { path: `/dev/fd/${as}`, descriptor, release, remove: release };
}

export function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text, "utf8");
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
