// The login session that a command was started in, and whether it has ended since. Linux alone tells; elsewhere the holder
// ends by age, sleep and `keybound lock`.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { systemCode } from "../fault.ts";

/** By systemd's file of the session, or by the process that leads it and when that was started, in clock ticks. */
export const LoginSession = v.variant("by", [
  v.strictObject({ by: v.literal("file"), path: v.string() }),
  v.strictObject({ by: v.literal("leader"), pid: v.number(), startedAt: v.string() }),
]);
export type LoginSession = v.InferOutput<typeof LoginSession>;

/**
 * The session of a process; `undefined` where none can be told: on another system, or where the process leads its
 * session itself, as in a container without a login.
 */
export function loginSession({
  platform,
  id,
  pid = process.pid,
  sessions = "/run/systemd/sessions",
}: {
  readonly platform: NodeJS.Platform;
  readonly id: string | undefined;
  readonly pid?: number;
  readonly sessions?: string;
}): LoginSession | undefined {
  if (platform !== "linux") return undefined;
  const path = id !== undefined && /^[A-Za-z0-9]{1,64}$/.test(id) ? join(sessions, id) : undefined;
  return path !== undefined && existsSync(path) ? { by: "file", path } : leaderOf(pid);
}

export function hasEnded(session: LoginSession): boolean {
  if (session.by === "file") return !existsSync(session.path);
  const leader = readProcess(session.pid);
  return leader === undefined || leader.startedAt !== session.startedAt || "ZX".includes(leader.state);
}

function leaderOf(pid: number): LoginSession | undefined {
  const leader = readProcess(pid)?.leader ?? 0;
  if (leader === 0 || leader === pid) return undefined;
  const startedAt = readProcess(leader)?.startedAt;
  return startedAt === undefined ? undefined : { by: "leader", pid: leader, startedAt };
}

type Process = { readonly state: string; readonly leader: number; readonly startedAt: string };

/** proc_pid_stat(5): state is field 3, session field 6, starttime field 22; the name before them may have any characters. */
function readProcess(pid: number): Process | undefined {
  const stat = statLine(pid);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "X", , , session = "0"] = fields;
  return { state, leader: Number(session), startedAt: fields[19] ?? "" };
}

function statLine(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  }
}
