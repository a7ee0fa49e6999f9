// What running jobs needs: something that holds all that a job starts, and interpreters.
import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, join } from "node:path";
import type { JobBody, Shell } from "../../protocol/job-body.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { findInterpreter, type InterpreterContext } from "../run/interpreter.ts";
import { failed, type Finding, ok, warning } from "./finding.ts";
import type { Daemon } from "./find-daemon.ts";

const DELEGATE =
  "run the agent by its unit, which has Delegate=memory pids; where it has them already, this kernel lacks them";

/** The agent that runs is looked at, not this process, which is in another place. */
export function containmentFindings(daemon: Daemon, platform: NodeJS.Platform): readonly Finding[] {
  if (platform === "win32") return [ok("containment", "Job Objects, which every Windows has")];
  if (platform !== "linux")
    return [
      warning(
        "containment",
        "process groups alone: what leaves a job's group is not found",
        "nothing; receipts say so",
      ),
    ];
  return [groups(daemon), adopting()];
}

function groups(daemon: Daemon): Finding {
  if (daemon.type !== "runs" || daemon.pid === undefined)
    return ok("containment", "control groups are seen only while an agent runs here");
  const lines = readLines(`/proc/${daemon.pid}/cgroup`);
  const places = lines.map((line) => line.split(":").slice(1)).filter(([, path = ""]) => isOurs(path));
  const [controller, path] = places.find(([name]) => name === "") ?? places[0] ?? [];
  if (path === undefined || controller === undefined)
    return warning(
      "containment",
      "the agent makes no control groups: jobs are held by descent, and not bounded",
      DELEGATE,
    );
  return controller === "" ? unified(path) : ok("containment", `control groups of version 1 (${controller})`);
}

/** The agent is in `agent` or in the group of its last job. */
const isOurs = (path: string) => basename(path) === "agent" || basename(path).startsWith("keybound-");

function unified(path: string): Finding {
  const file = join("/sys/fs/cgroup", dirname(path), "cgroup.subtree_control");
  if (!existsSync(file))
    return ok("containment", "control groups of version 2, of which more cannot be seen from here");
  const passedOn = readLines(file).join(" ").split(" ");
  const missing = ["memory", "pids"].filter((name) => !passedOn.includes(name));
  const says = "control groups of version 2";
  if (missing.length === 0) return ok("containment", `${says}, with memory and pids`);
  return warning(
    "containment",
    `${says}, without ${missing.join(" and ")}: such limits of jobs are not applied`,
    DELEGATE,
  );
}

function adopting(): Finding {
  if (isBuiltin("node:ffi")) return ok("containment", "the agent can adopt what a job leaves without a parent");
  return warning(
    "containment",
    "this Node has no node:ffi: what leaves a job's family is found by its looks alone",
    "use the Node that the agent ships with",
  );
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "latin1").split("\n").filter(Boolean);
  } catch {
    // It has ended, or may not be looked at.
    return [];
  }
}

const SHELLS: Partial<Record<NodeJS.Platform, readonly Shell[]>> = {
  win32: ["cmd", "powershell", "pwsh", "python"],
};
const POSIX_SHELLS: readonly Shell[] = ["sh", "bash", "zsh", "pwsh", "python"];

export function interpreterFindings(context: InterpreterContext): readonly Finding[] {
  const shells = SHELLS[context.platform] ?? POSIX_SHELLS;
  const looks = shells.map((shell) => ({ shell, found: pathOf(shell, context) }));
  const present = looks.flatMap(({ shell, found }) => (found instanceof Refusal ? [] : [`${shell} ${found}`]));
  const [first] = looks;
  const says = present.join(", ");
  if (first?.found instanceof Refusal)
    return [
      failed(
        "interpreters",
        `${first.shell} cannot be used: ${first.found.detail}`,
        "install it, for root alone to change",
      ),
    ];
  const open = looks.flatMap(({ found }) => (found instanceof Refusal && / /.test(found.detail) ? [found.detail] : []));
  if (open.length > 0)
    return [warning("interpreters", `${says}; ${open.join(", ")}`, "take the right to write from others")];
  return [ok("interpreters", says)];
}

function pathOf(shell: Shell, context: InterpreterContext): string | Refusal {
  try {
    return findInterpreter(bodyFor(shell), context).path;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** A job that nobody sends: what it would be run with is asked. */
function bodyFor(shell: Shell): JobBody {
  const limits = { timeMs: 1_000, outputBytes: 0 };
  return { salt: "", shell, source: "", args: [], env: [], user: { as: "system" }, limits, mayReboot: false };
}
