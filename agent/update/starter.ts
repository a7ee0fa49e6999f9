// What starts the agent and chooses between its versions (docs/update.md): a script on Linux and macOS, the service host on Windows.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { CHECK_VERSIONS_TIME_MS, MAX_CHECK_VERSIONS_BYTES } from "../limits.ts";

const SERVICE_HOST = "keybound-service.exe";

/** Why the starter of this folder, PROGRAM, would use no other version, in words; `undefined` where it would. */
export function whyNoStart(program: string, platform: NodeJS.Platform): string | undefined {
  return platform === "win32" ? askServiceHost(program) : lookForScript(program);
}

function lookForScript(program: string): string | undefined {
  try {
    accessSync(join(program, "start"), constants.X_OK);
    accessSync(join(program, "version"), constants.R_OK);
    accessSync(program, constants.W_OK);
    return undefined;
  } catch {
    return noStarter(program);
  }
}

/** Node reads no access list, and the host does; whether the folder can be written is seen where it is written. */
function askServiceHost(program: string): string | undefined {
  const { status, stdout } = spawnSync(join(program, SERVICE_HOST), ["check-versions"], {
    encoding: "utf8",
    timeout: CHECK_VERSIONS_TIME_MS,
    maxBuffer: MAX_CHECK_VERSIONS_BYTES,
    windowsHide: true,
  });
  if (status === 0) return undefined;
  return status === 1 && stdout.trim() !== "" ? stdout.trim() : noStarter(program);
}

function noStarter(program: string): string {
  return `${program} is no installed agent with a starter, or cannot be written`;
}
