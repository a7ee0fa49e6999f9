// As whom a job runs. A user who is not there means no job, never a job as somebody greater.
import type { JobBody } from "../../protocol/job-body.ts";
import { refuse } from "../../protocol/refusal.ts";
import { LOOKUP_TIME_MS } from "../limits.ts";
import { findProgram } from "./ask-program.ts";
import { activeSessions, consoleSession, type LoginSession } from "./login-sessions.ts";
import { findUser, type NameService, type SystemUser } from "./name-service.ts";
import { sessionEnvironment } from "./session-environment.ts";

export type Account = {
  readonly name: string;
  readonly home: string;
  readonly shell: string;
  /** Absent where the job runs as the agent itself does. */
  readonly ids?: Pick<SystemUser, "uid" | "gid" | "groups">;
  /** Variables that name this user's own sockets and session. */
  readonly session: Readonly<Record<string, string>>;
  /** Whether a logged-on user was asked for, whose desktop the job should reach. */
  readonly isLoggedOn: boolean;
};

/** The agent's own account, read once at start. */
export type AgentAccount = { readonly name: string; readonly home: string; readonly uid: number };

/** Where the system keeps what accounts are found by. */
export type SystemPlaces = {
  /** Folders of the system's own programs, which only an administrator can write. */
  readonly programs: readonly string[];
  /** Where each logged-on user has a folder of sockets. */
  readonly runtime: string;
};

export const SYSTEM_PLACES: SystemPlaces = {
  programs: ["/usr/bin", "/bin", "/usr/sbin", "/sbin"],
  runtime: "/run/user",
};

export type AccountContext = {
  readonly agent: AgentAccount;
  readonly platform: NodeJS.Platform;
  readonly places: SystemPlaces;
};

/** What can be said before the job's turn, without asking anybody. Throws `user-denied` or `platform-lacks`. */
export function checkUser(user: JobBody["user"], { agent, platform, places }: AccountContext): void {
  // Windows' launcher finds whose session it is, when the job starts.
  if (user.as === "system" || platform === "win32") return;
  if (user.as === "user" && user.name === agent.name) return;
  if (user.as === "user" && agent.uid !== 0)
    throw refuse("user-denied", `the agent is ${agent.name}, the job is for ${user.name}`);
  if (changerOf(platform, places) === undefined) throw refuse("user-denied", "no setpriv (util-linux) on this device");
}

/** The system's program that starts another one as another user. */
export function changerOf(platform: NodeJS.Platform, { programs }: SystemPlaces): string | undefined {
  return findProgram(platform === "darwin" ? "chroot" : "setpriv", programs);
}

/**
 * The accounts in which the job is to run, one after the other: one, but for `sessions`. Asks the system, which may take up to
 * LOOKUP_TIME_MS. Throws `user-absent` or `user-denied`.
 */
export async function findAccounts(user: JobBody["user"], context: AccountContext): Promise<readonly Account[]> {
  const { agent, platform, places } = context;
  if (user.as === "system" || platform === "win32") return [ownAccount(agent)];
  if (user.as === "user" && user.name === agent.name) return [ownAccount(agent)];
  const service = { platform, folders: places.programs, until: AbortSignal.timeout(LOOKUP_TIME_MS) };
  if (user.as === "user") return [await namedAccount(user.name, { ...context, service })];
  const accounts: Account[] = [];
  for (const session of await sessionsFor(user, service))
    accounts.push(await namedAccount(session.name, { ...context, service, session }));
  if (accounts.length > 0) return accounts;
  const where = user.as === "console" ? "at the console" : "in an active session";
  throw refuse("user-absent", `nobody but root, if anybody, is logged on ${where}`);
}

function ownAccount({ name, home }: AgentAccount): Account {
  return { name, home, shell: "/bin/sh", session: {}, isLoggedOn: false };
}

async function sessionsFor(user: JobBody["user"], service: NameService): Promise<readonly LoginSession[]> {
  if (user.as === "sessions") return await activeSessions(service);
  const session = await consoleSession(service);
  return session === undefined ? [] : [session];
}

type Lookup = AccountContext & { readonly service: NameService; readonly session?: LoginSession };

async function namedAccount(name: string, { agent, places, service, session }: Lookup): Promise<Account> {
  const user = await findUser(name, service);
  if (user === undefined) throw refuse("user-absent", service.until.aborted ? `${name}: nobody said in time` : name);
  if (session !== undefined && session.uid !== user.uid)
    throw refuse("user-absent", `${name} has the id ${user.uid}, the session ${session.id} has ${session.uid}`);
  // Whoever may name accounts in a directory must not come by root's rights with one of them.
  if (user.uid === 0) throw refuse("user-denied", `${name} has root's id; such a job is signed for the system`);
  if (agent.uid !== 0 && agent.uid !== user.uid)
    throw refuse("user-denied", `the agent is ${agent.name}, the job is for ${name}`);
  const { home, shell, uid, gid, groups } = user;
  const known = { name, home, shell, session: sessionEnvironment(uid, { runtime: places.runtime, session }) };
  const isLoggedOn = session !== undefined;
  return agent.uid === uid ? { ...known, isLoggedOn } : { ...known, isLoggedOn, ids: { uid, gid, groups } };
}
