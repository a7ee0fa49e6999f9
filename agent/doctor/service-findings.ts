// Whether the agent runs, and whether the system will start it again.
import { existsSync } from "node:fs";
import { ASK_TIME_MS } from "../limits.ts";
import { askProgram, findProgram } from "../run/ask-program.ts";
import { failed, type Finding, ok, warning } from "./finding.ts";
import type { Daemon } from "./find-daemon.ts";
import { launchdFinding } from "./launchd-findings.ts";

const UNIT = "keybound-agent.service";

export async function serviceFindings(daemon: Daemon, platform: NodeJS.Platform): Promise<readonly Finding[]> {
  return [running(daemon), ...(await unit(daemon, platform))];
}

function running(daemon: Daemon): Finding {
  const says = "an agent runs on this state";
  if (daemon.type === "unknown") return ok("service", "whether an agent runs on this state cannot be seen from here");
  if (daemon.type === "none")
    return failed("service", "no agent runs on this state", `start it: systemctl start ${UNIT}, or keybound-agent run`);
  return ok("service", daemon.pid === undefined ? says : `${says}, process ${daemon.pid}`);
}

async function unit(daemon: Daemon, platform: NodeJS.Platform): Promise<readonly Finding[]> {
  if (platform === "darwin") return [await launchdFinding()];
  if (platform !== "linux") return [ok("service", `the service manager of ${platform} is not asked`)];
  // sd_booted(3).
  if (!existsSync("/run/systemd/system")) return [ok("service", "this system was not started by systemd")];
  const shown = await show();
  if (shown === undefined) return [warning("service", "systemd does not answer", "systemctl status")];
  return [unitFinding(shown, daemon)];
}

function unitFinding(shown: ReadonlyMap<string, string>, daemon: Daemon): Finding {
  const [load, active, enabled] = ["LoadState", "ActiveState", "UnitFileState"].map((name) => shown.get(name) ?? "");
  const says = `${UNIT}: ${load}, ${active}, ${enabled === "" ? "no unit file" : enabled}, restarted ${shown.get("NRestarts")} times`;
  if (load !== "loaded")
    return warning(
      "service",
      says,
      "install the unit, so that the agent is there after a restart: packaging/README.md",
    );
  if (active !== "active" && daemon.type !== "runs")
    return failed("service", says, `systemctl enable --now ${UNIT}; journalctl -u ${UNIT} says why it ended`);
  if (enabled !== "enabled")
    return warning("service", says, `systemctl enable ${UNIT}, or it does not come back after a restart`);
  return ok("service", says);
}

async function show(): Promise<ReadonlyMap<string, string> | undefined> {
  const path = findProgram("systemctl", ["/usr/bin", "/bin"]);
  if (path === undefined) return undefined;
  const args = ["show", UNIT, "--property=LoadState,ActiveState,UnitFileState,NRestarts"];
  const answer = await askProgram({ path, args, until: AbortSignal.timeout(ASK_TIME_MS) });
  if (answer.type !== "answered" || answer.code !== 0) return undefined;
  return new Map(answer.stdout.split("\n").map((line) => [line.split("=")[0] ?? "", line.split("=")[1] ?? ""]));
}
