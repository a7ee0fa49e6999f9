// As whom a job runs. A named user who is not there means no job, never a job as somebody greater.
import { readFileSync } from "node:fs";
import type { JobBody } from "../../protocol/job-body.ts";
import { refuse } from "../../protocol/refusal.ts";

export type Account = {
  readonly name: string;
  readonly home: string;
  readonly shell: string;
  /** Absent where the job runs as the agent itself does. */
  readonly ids?: { readonly uid: number; readonly gid: number };
};

/** The agent's own account, read once at start. */
export type AgentAccount = { readonly name: string; readonly home: string; readonly uid: number };

/** Throws `user-absent`, or `user-denied` where the agent is not root and the job is for another user. */
export function findAccount(user: JobBody["user"], agent: AgentAccount, platform: NodeJS.Platform): Account {
  const own: Account = { name: agent.name, home: agent.home, shell: "/bin/sh" };
  if (user.as === "system") return own;
  if (platform === "win32") throw refuse("platform-lacks", "jobs as a named user");
  if (user.name === agent.name) return own;
  const entry = passwd().find(({ name }) => name === user.name);
  if (entry === undefined) throw refuse("user-absent", user.name);
  if (agent.uid !== 0) throw refuse("user-denied", `the agent is ${agent.name}, the job is for ${user.name}`);
  const { uid, gid, ...account } = entry;
  return { ...account, ids: { uid, gid } };
}

// passwd(5): name:password:uid:gid:comment:home:shell
function passwd() {
  return lines("/etc/passwd").flatMap(([name, , uid, gid, , home, shell]) =>
    name === undefined || uid === undefined || gid === undefined
      ? []
      : [{ name, uid: Number(uid), gid: Number(gid), home: home ?? "/", shell: shell ?? "/bin/sh" }],
  );
}

function lines(path: string): readonly (readonly string[])[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}
