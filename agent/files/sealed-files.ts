// What has come of the sealed files of jobs: in a folder of the agent's own, a folder for each job, a file for each blob. What is not
// whole yet ends in `.part`; how long it is says from where the relay is asked to go on, also after a crash.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { digestOfFile } from "./file-digest.ts";
import { refuse } from "../../protocol/refusal.ts";

const PART = ".part";

export class SealedFiles {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** A folder that is there, on the disk that they come to. */
  get root(): string {
    return dirname(this.folder);
  }

  pathOf(job: string, blob: string): string {
    return join(this.folder, job, blob);
  }

  isWhole(job: string, blob: string): boolean {
    return existsSync(this.pathOf(job, blob));
  }

  /** Bytes that are here. */
  received(job: string, blob: string): number {
    const whole = statSync(this.pathOf(job, blob), { throwIfNoEntry: false });
    const part = statSync(this.pathOf(job, blob) + PART, { throwIfNoEntry: false });
    return (whole ?? part)?.size ?? 0;
  }

  /** Adds bytes at the end of what is here. Not synced: a loss of power makes them come again. */
  append(job: string, blob: string, bytes: Uint8Array): void {
    mkdirSync(join(this.folder, job), { recursive: true, mode: 0o700 });
    const file = openSync(this.pathOf(job, blob) + PART, "a", 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    } finally {
      closeSync(file);
    }
  }

  /** All of it has come: synced, and whole from now on. Throws `file-digest`, with nothing of it left, where it is another. */
  async complete(job: string, blob: string): Promise<void> {
    const part = this.pathOf(job, blob) + PART;
    const found = await digestOfFile(part);
    if (found !== blob) {
      rmSync(part, { force: true });
      throw refuse("file-digest", `the relay gave ${found} for ${blob}`);
    }
    const file = openSync(part, "r+");
    fsyncSync(file);
    closeSync(file);
    renameSync(part, this.pathOf(job, blob));
  }

  /** Whether something of the job is here. */
  has(job: string): boolean {
    return existsSync(join(this.folder, job));
  }

  remove(job: string): void {
    rmSync(join(this.folder, job), { recursive: true, force: true });
  }

  /** Jobs of which something is here. */
  jobs(): readonly string[] {
    return existsSync(this.folder) ? readdirSync(this.folder) : [];
  }
}
