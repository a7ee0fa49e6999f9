// Starting a job as another user, with all of that user's groups and none of the agent's rights.
//
// The agent spawns a program of the system that changes the user: setpriv on Linux, chroot into `/` on macOS. It runs as root, so it
// gets an empty environment and the root folder: nothing of the job steers it (an LD_PRELOAD that was signed for a user may lie in a
// folder that the user can write). It executes /bin/sh, now as that user, which reads a script of ours from descriptor 4: the
// folder, the environment, and then the job's program in its own place. So the environment is on no command line either, and
// the job has the process id that was spawned. Node's own `uid` and `gid` would leave the user without supplementary groups.
//
// On descriptor 5 the script says how far it came: without its word, an exit code is not the job's.
import { Readable } from "node:stream";
import { MAX_MAC_GROUPS } from "../limits.ts";
import type { Account, SystemPlaces } from "./account.ts";
import { changerOf } from "./account.ts";
import { findProgram } from "./ask-program.ts";
import type { JobProcess } from "./containment.ts";
import type { Launch } from "./launch.ts";

/** The child's descriptors: the job's source, the script that is told here, and where that script answers. */
export const SOURCE_AT = 3;
export const SCRIPT_AT = 4;
export const ANSWER_AT = 5;

const STARTED = "STARTED";
/** Nothing that we write there is longer. */
const MAX_ANSWER_BYTES = 64;

type Ids = NonNullable<Account["ids"]>;

export type Change = {
  readonly ids: Ids;
  readonly isLoggedOn: boolean;
  readonly platform: NodeJS.Platform;
  readonly places: SystemPlaces;
};

/** The launch of `launch` by way of the system's program; `script` is the agent's descriptor of `scriptFor(launch)`. */
export function throughChanger(launch: Launch, script: number | undefined, change: Change): Launch {
  const [program, ...args] = changerCommand(change);
  return {
    ...launch,
    program,
    args: [...args, "/bin/sh", `/dev/fd/${SCRIPT_AT}`, launch.program, ...launch.args],
    env: {},
    cwd: "/",
    descriptors: [launch.descriptors[0] ?? "ignore", script ?? "ignore", "pipe"],
  };
}

function changerCommand({ ids, isLoggedOn, platform, places }: Change): readonly [string, ...string[]] {
  const changer = changerOf(platform, places);
  if (changer === undefined)
    throw new Error("internal error: a job for another user without a program that changes users");
  const groups = ids.groups.join(",");
  if (platform !== "darwin")
    return [changer, "--reuid", `${ids.uid}`, "--regid", `${ids.gid}`, "--groups", groups, "--inh-caps=-all", "--"];
  const first = ids.groups.slice(0, MAX_MAC_GROUPS).join(",");
  const change = [changer, "-u", `${ids.uid}`, "-g", `${ids.gid}`, "-G", first, "/"] as const;
  const launchctl = isLoggedOn ? findProgram("launchctl", places.programs) : undefined;
  // A program reaches the user's desktop only from within the user's own part of launchd.
  return launchctl === undefined ? change : [launchctl, "asuser", `${ids.uid}`, ...change];
}

/** What the shell does as the user, with the job's program and its arguments as "$@". */
export function scriptFor({ cwd, env, descriptors }: Launch): string {
  // One command, so that all of it is read before the first variable can change how the shell reads.
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
  const source = descriptors[0] === undefined ? ` ${SOURCE_AT}<&-` : "";
  const folder = quoted(cwd);
  const isThere = `[ -e ${folder} ] && echo EACCES >&${ANSWER_AT} || echo ENOENT >&${ANSWER_AT}`;
  return [
    `cd -- ${folder} 2>/dev/null || { ${isThere}; exit 126; }`,
    `[ -x "$1" ] || { echo EACCES >&${ANSWER_AT}; exit 126; }`,
    "unset PWD OLDPWD SHLVL",
    ...(variables.length === 0 ? [] : [`export ${variables.join(" ")} || exit 126`]),
    `echo ${STARTED} >&${ANSWER_AT} || exit 126`,
    `exec "$@"${source} ${SCRIPT_AT}<&- ${ANSWER_AT}>&-`,
    "",
  ].join("\n");
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

/** The variables that no shell can set, and so no job of another user can have. */
export function unsettable(names: readonly string[]): string | undefined {
  return names.find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
}

/** Why the job's program was not reached, in the system's words; `undefined` where it was. Settles when the change is over. */
export async function changeFault(child: JobProcess): Promise<string | undefined> {
  const word = (await answerOf(child.stdio[ANSWER_AT])).trim();
  if (word === STARTED) return undefined;
  // Silence: the system's program could not change the user, or the shell did not start.
  return word === "" ? "EPERM" : word;
}

function answerOf(stream: unknown): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  if (!(stream instanceof Readable)) return Promise.resolve("");
  let said = "";
  stream.on("data", (chunk: Buffer) => {
    said += chunk.toString("latin1");
    if (said.length > MAX_ANSWER_BYTES) stream.destroy();
  });
  stream.once("error", () => resolve(said));
  stream.once("close", () => resolve(said));
  return promise;
}
