// Asks the system who a user is: through its name service, so that accounts of a directory are found as those of /etc/passwd are.
import { MAX_USER_GROUPS } from "../limits.ts";
import { askProgram, findProgram, type ProgramAnswer } from "./ask-program.ts";

export type SystemUser = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** All groups, the primary one among them. */
  readonly groups: readonly number[];
  readonly home: string;
  readonly shell: string;
};

export type NameService = {
  readonly platform: NodeJS.Platform;
  /** Folders of the system's own programs. */
  readonly folders: readonly string[];
  readonly until: AbortSignal;
};

/** The user of exactly this name; `undefined` where there is none, or nobody could say in time. */
export async function findUser(name: string, service: NameService): Promise<SystemUser | undefined> {
  // To a program, a name that begins so would be an option.
  if (name.startsWith("-")) return undefined;
  const entry = service.platform === "darwin" ? await cachedEntry(name, service) : await passwdEntry(name, service);
  // Name services also take numbers, and other spellings of a name: only the account that was signed is meant.
  if (entry?.name !== name) return undefined;
  const groups = groupsIn(await ask("id", ["-G", name], service));
  return groups === undefined ? undefined : { ...entry, groups: [...new Set([entry.gid, ...groups])] };
}

/** The name of the user with this id, for platforms that say who is logged on by number. */
export async function nameOf(uid: number, service: NameService): Promise<string | undefined> {
  const answer = await ask("id", ["-un", String(uid)], service);
  const name = answer.type === "answered" && answer.code === 0 ? answer.stdout.trim() : "";
  return name === "" ? undefined : name;
}

type Entry = Omit<SystemUser, "groups">;

async function passwdEntry(name: string, service: NameService): Promise<Entry | undefined> {
  const answer = await ask("getent", ["passwd", name], service);
  return answer.type === "answered" && answer.code === 0 ? parsePasswd(answer.stdout) : undefined;
}

// passwd(5): name:password:uid:gid:comment:home:shell
export function parsePasswd(answer: string): Entry | undefined {
  const [line = ""] = answer.split("\n");
  const [name = "", , uid = "", gid = "", , home = "", shell = "", ...surplus] = line.split(":");
  if (surplus.length > 0) return undefined;
  return entryOf({ name, uid, gid, home, shell });
}

async function cachedEntry(name: string, service: NameService): Promise<Entry | undefined> {
  const answer = await ask("dscacheutil", ["-q", "user", "-a", "name", name], service);
  return answer.type === "answered" && answer.code === 0 ? parseCached(answer.stdout) : undefined;
}

// dscacheutil(1): lines of `key: value`, and an empty line after each user.
export function parseCached(answer: string): Entry | undefined {
  const [block = ""] = answer.split("\n\n");
  const fields = new Map(
    block.split("\n").map((line) => [line.split(":")[0], line.slice(line.indexOf(":") + 1).trim()]),
  );
  const field = (key: string) => fields.get(key) ?? "";
  return entryOf({
    name: field("name"),
    uid: field("uid"),
    gid: field("gid"),
    home: field("dir"),
    shell: field("shell"),
  });
}

type Fields = {
  readonly name: string;
  readonly uid: string;
  readonly gid: string;
  readonly home: string;
  readonly shell: string;
};

function entryOf({ name, uid, gid, home, shell }: Fields): Entry | undefined {
  const [user, group] = [idOf(uid), idOf(gid)];
  if (name === "" || user === undefined || group === undefined) return undefined;
  return { name, uid: user, gid: group, home: absolute(home) ?? "/", shell: absolute(shell) ?? "/bin/sh" };
}

function absolute(path: string): string | undefined {
  return path.startsWith("/") ? path : undefined;
}

// The largest number is no user: to the kernel it says "leave as it is".
function idOf(text: string): number | undefined {
  return /^(0|[1-9][0-9]{0,9})$/.test(text) && Number(text) < 0xffffffff ? Number(text) : undefined;
}

/** Of `id -G`: numbers with spaces between. */
function groupsIn(answer: ProgramAnswer): readonly number[] | undefined {
  if (answer.type !== "answered" || answer.code !== 0) return undefined;
  const ids = answer.stdout.trim().split(" ").map(idOf);
  const groups = ids.filter((id) => id !== undefined);
  return groups.length === ids.length && groups.length <= MAX_USER_GROUPS ? groups : undefined;
}

async function ask(program: string, args: readonly string[], { folders, until }: NameService): Promise<ProgramAnswer> {
  const path = findProgram(program, folders);
  return path === undefined ? { type: "silent" } : await askProgram({ path, args, until });
}
