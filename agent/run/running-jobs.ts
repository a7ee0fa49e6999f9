// A note on the disk for each job that runs: by it an agent that was killed finds, after its next start, what it left running.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

/** What the name of a note that is being written ends in. */
const HALF = ".new";

const RunningNote = v.strictObject({
  bootId: v.string(),
  /** The name of the run, which its processes carry. */
  run: v.string(),
  /** Folders of the job's control group, the one that knows its members first. */
  groups: v.array(v.string()),
  /** Its first process, by pid and start; absent until it has been spawned. */
  leader: v.exactOptional(v.strictObject({ pid: v.number(), startedAt: v.number() })),
});
export type RunningNote = Readonly<v.InferOutput<typeof RunningNote>>;

export class RunningJobs {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Not synced: a loss of power ends the job as well. Throws where the disk has no room: then nothing may be spawned. */
  note(job: string, note: RunningNote): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const path = join(this.#folder, job);
    writeFileSync(`${path}${HALF}`, JSON.stringify(note), { mode: 0o600 });
    renameSync(`${path}${HALF}`, path);
  }

  forget(job: string): void {
    rmSync(join(this.#folder, job), { force: true });
  }

  /** `undefined` where there is none: then nothing was spawned, or it is known how it ended. */
  find(job: string): RunningNote | undefined {
    try {
      return v.parse(RunningNote, JSON.parse(readFileSync(join(this.#folder, job), "utf8")));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  jobs(): readonly string[] {
    try {
      return readdirSync(this.#folder).filter((name) => !name.endsWith(HALF));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
  }
}
