// Whether macOS' launchd has the agent, and keeps it running.
import { ASK_TIME_MS } from "../limits.ts";
import { askProgram, findProgram, type ProgramAnswer } from "../run/ask-program.ts";
import { failed, type Finding, ok, warning } from "./finding.ts";

/** As packaging/macos names it. */
export const LABEL = "io.keybound.agent";

export async function launchdFinding(): Promise<Finding> {
  const path = findProgram("launchctl", ["/bin", "/usr/bin"]);
  if (path === undefined) return warning("service", "launchctl is not there", "launchctl print system");
  const args = ["print", `system/${LABEL}`];
  return findingOf(await askProgram({ path, args, until: AbortSignal.timeout(ASK_TIME_MS) }));
}

/** Of what `launchctl print` says, for people and in lines such as `state = running`. */
export function findingOf(answer: ProgramAnswer): Finding {
  if (answer.type === "silent") return warning("service", "launchd does not answer", `launchctl print system/${LABEL}`);
  if (answer.code !== 0)
    return failed(
      "service",
      `launchd has no service ${LABEL}`,
      "install the package again, or, where the service is disabled: docs/macos.md",
    );
  const valueOf = (key: string) => new RegExp(`^\\s*${key} = (.*)$`, "m").exec(answer.stdout)?.[1]?.trim();
  const [state, pid, exit] = ["state", "pid", "last exit code"].map(valueOf);
  if (state === "running") return ok("service", `${LABEL}: running, process ${pid ?? "unknown"}`);
  const says = `${LABEL}: ${state ?? "in no state that is said"}, last exit code ${exit ?? "unknown"}`;
  return failed("service", says, "/var/log/keybound-agent.log says why it ended");
}
