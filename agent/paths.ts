// Where the agent keeps things on each platform.
import { join, resolve } from "node:path";

export type Paths = {
  /** State folder, 0700: keys, ledger, receipts, journal. */
  readonly state: string;
  /** What anybody on this machine may know: who owns it, since when, the last refusal. */
  readonly publicStatus: string;
  /** Touched when a package was taken or refused, so that a running daemon notices. */
  readonly ownerMark: string;
  /** Sources of running jobs, for the moment until the interpreter has opened them. */
  readonly jobs: string;
  /** Sealed files of jobs that wait, and of one that runs. */
  readonly files: string;
  /** Fetched files, sealed, until the relay has them. */
  readonly fetched: string;
  /** The own folders of running jobs with files. Beside the state on POSIX, because a job's user must get there. */
  readonly placed: string;
  /** Notes of the jobs that run, by which their processes are found after a crash. */
  readonly running: string;
};

export function pathsIn(state: string, platform: NodeJS.Platform = process.platform): Paths {
  const beside = state.replace(/[/\\]+$/, "");
  return {
    state,
    publicStatus: `${beside}.status.json`,
    ownerMark: join(state, "owner-changed"),
    jobs: join(state, "jobs"),
    files: join(state, "files"),
    fetched: join(state, "fetched"),
    placed: platform === "win32" ? join(state, "placed") : resolve(`${beside}.files`),
    running: join(state, "running"),
  };
}

/**
 * The installed agent's state folder. `programData` is Windows' `%ProgramData%`. On macOS it is where daemons keep theirs: in a
 * folder of root's that everybody can look into, with no space in its path, which a job's script might forget to quote.
 */
export function defaultState(platform: NodeJS.Platform, programData: string | undefined): string {
  if (platform === "win32") return join(programData ?? "C:\\ProgramData", "Keybound", "state");
  if (platform === "darwin") return "/var/db/keybound";
  return "/var/lib/keybound";
}
