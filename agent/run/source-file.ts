// How an interpreter gets its source: never on a command line, never in a file that others can read, nothing left behind.
import { chownSync, closeSync, mkdirSync, openSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Account } from "./account.ts";

export type Source = {
  /** What the interpreter is told to read. */
  readonly path: string;
  /** To be the child's descriptor 3, where the path refers to it. */
  readonly descriptor: number | undefined;
  /** Ends the agent's hold on it; to be called once the child has been started, and again changes nothing. */
  readonly release: () => void;
  /** Removes what is left, after the job has ended. */
  readonly remove: () => void;
};

export type SourceInput = {
  readonly source: string;
  readonly account: Account;
  readonly jobs: string;
  /** A name that nothing else has, such as the job's id. */
  readonly name: string;
  readonly extension: string;
};

/** A source for the interpreter on this platform. What a crash leaves behind, `clearSources` removes at the next start. */
export function placeSource(input: SourceInput, platform: NodeJS.Platform): Source {
  mkdirSync(input.jobs, { recursive: true, mode: 0o700 });
  return platform === "win32" ? keptFile(input) : unlinkedFile(input);
}

export function clearSources(jobs: string): void {
  rmSync(jobs, { recursive: true, force: true });
}

/** POSIX: the file is unlinked before the child starts; the child reads it through its descriptor. */
function unlinkedFile({ source, account, jobs, name }: SourceInput): Source {
  const path = join(jobs, name);
  const writing = openSync(path, "wx", 0o600);
  const descriptor = openSync(path, "r");
  try {
    unlinkSync(path);
    writeAll(writing, source);
    // The child opens /dev/fd/3 anew, which Linux checks against the file's owner.
    if (account.ids !== undefined) chownSync(`/proc/self/fd/${writing}`, account.ids.uid, account.ids.gid);
  } finally {
    closeSync(writing);
  }
  let isOpen = true;
  const release = () => {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
  };
  return { path: "/dev/fd/3", descriptor, release, remove: release };
}

/** Windows: a file in the state folder, whose access list lets only SYSTEM and Administrators read it. */
function keptFile({ source, jobs, name, extension }: SourceInput): Source {
  const path = join(jobs, `${name}${extension}`);
  const writing = openSync(path, "wx", 0o600);
  try {
    writeAll(writing, source);
  } finally {
    closeSync(writing);
  }
  return { path, descriptor: undefined, release: () => undefined, remove: () => rmSync(path, { force: true }) };
}

function writeAll(descriptor: number, source: string): void {
  const bytes = Buffer.from(source, "utf8");
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
