// Who is logged on at this device: at its own screen, or in any active session.
import { lstatSync } from "node:fs";
import { FIRST_MAC_UID, MAX_SESSIONS } from "../limits.ts";
import { askProgram, findProgram } from "./ask-program.ts";
import { type NameService, nameOf } from "./name-service.ts";

export type LoginSession = {
  /** The system's name of it, such as `3` or `c1`. */
  readonly id: string;
  readonly uid: number;
  readonly name: string;
  /** `wayland`, `x11`, `tty` and so on; absent where the system says none. */
  readonly type?: string;
  /** The X display, such as `:0`. */
  readonly display?: string;
};

/** The session in front of the screen; `undefined` where nobody is logged on there, or nobody could say in time. */
export async function consoleSession(service: NameService): Promise<LoginSession | undefined> {
  if (service.platform === "darwin") return await macConsole(service);
  const id = parseSeat(await askLogind(["show-seat", "seat0", "-p", "ActiveSession"], service));
  return id === undefined ? undefined : await sessionOf(id, service);
}

/** The active sessions of users, in the order in which the system names them. macOS tells of the one at the screen. */
export async function activeSessions(service: NameService): Promise<readonly LoginSession[]> {
  if (service.platform === "darwin") return [await macConsole(service)].filter((session) => session !== undefined);
  const ids = parseSessionList(await askLogind(["list-sessions", "--no-legend", "--no-pager"], service));
  const found: LoginSession[] = [];
  for (const id of ids) {
    const session = await sessionOf(id, service);
    if (session !== undefined) found.push(session);
  }
  return found;
}

/** Whoever owns the console is logged on at it; at the login window that is root, in the Setup Assistant a user of the system's. */
async function macConsole(service: NameService): Promise<LoginSession | undefined> {
  const { uid } = lstatSync("/dev/console");
  const name = uid < FIRST_MAC_UID ? undefined : await nameOf(uid, service);
  return name === undefined ? undefined : { id: "console", uid, name };
}

const PROPERTIES = ["Id", "User", "Name", "Class", "State", "Type", "Display"];

async function sessionOf(id: string, service: NameService): Promise<LoginSession | undefined> {
  const shown = PROPERTIES.flatMap((property) => ["-p", property]);
  return parseSession(await askLogind(["show-session", id, ...shown], service), id);
}

/** What `loginctl` answers; empty where there is no logind, or it does not answer. */
async function askLogind(args: readonly string[], { folders, until }: NameService): Promise<string> {
  const path = findProgram("loginctl", folders);
  const answer = path === undefined ? undefined : await askProgram({ path, args, until });
  return answer?.type === "answered" && answer.code === 0 ? answer.stdout : "";
}

const SESSION_ID = /^[A-Za-z0-9]{1,64}$/;

export function parseSeat(answer: string): string | undefined {
  const id = propertiesIn(answer).get("ActiveSession") ?? "";
  return SESSION_ID.test(id) ? id : undefined;
}

/** The first word of each line; the columns after it differ between versions. */
export function parseSessionList(answer: string): readonly string[] {
  const ids = answer.split("\n").map((line) => line.trim().split(/\s/)[0] ?? "");
  return [...new Set(ids.filter((id) => SESSION_ID.test(id)))].slice(0, MAX_SESSIONS);
}

/** A person's active session; `undefined` for a greeter, a session that is closing or in the background, and root's. */
export function parseSession(answer: string, id: string): LoginSession | undefined {
  const properties = propertiesIn(answer);
  const text = (key: string) => properties.get(key) ?? "";
  const [uid, name, type, display] = [text("User"), text("Name"), text("Type"), text("Display")];
  const isPersons = /^user(-early|-light|-early-light)?$/.test(text("Class")) && text("State") === "active";
  if (text("Id") !== id || !isPersons || !/^[1-9][0-9]{0,9}$/.test(uid) || name === "") return undefined;
  return {
    id,
    uid: Number(uid),
    name,
    ...(/^[a-z0-9-]{1,32}$/.test(type) ? { type } : {}),
    ...(/^[A-Za-z0-9.-]{0,64}:[0-9.]{1,16}$/.test(display) ? { display } : {}),
  };
}

function propertiesIn(answer: string): ReadonlyMap<string, string> {
  const lines = answer.split("\n").filter((line) => line.includes("="));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
