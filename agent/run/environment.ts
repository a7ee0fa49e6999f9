// The environment of a job: a documented minimum and what was signed. Nothing of the agent's own reaches it.
import type { JobBody } from "../../protocol/job-body.ts";
import type { Account } from "./account.ts";

const POSIX_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// As launchd has it. Where Homebrew is on an Intel Mac, /usr/local/bin is a user's to write, and root's jobs would run what lies there.
const MAC_PATH = "/usr/bin:/bin:/usr/sbin:/sbin";

export type WindowsFolders = {
  readonly systemRoot: string;
  readonly systemDrive: string;
  readonly programData: string;
  readonly programFiles: string;
  readonly temp: string;
};

export function environmentOf(
  { env }: JobBody,
  { account, platform, windows }: { account: Account; platform: NodeJS.Platform; windows: WindowsFolders },
): Record<string, string> {
  const minimum = platform === "win32" ? windowsMinimum(windows) : posixMinimum(account, platform);
  return { ...minimum, ...Object.fromEntries(env.map(({ name, value }) => [name, value])) };
}

function posixMinimum({ name, home, shell, session }: Account, platform: NodeJS.Platform): Record<string, string> {
  // macOS has no C.UTF-8 before 14, and English without it would be ASCII.
  const lang = platform === "darwin" ? "en_US.UTF-8" : "C.UTF-8";
  const path = platform === "darwin" ? MAC_PATH : POSIX_PATH;
  return { PATH: path, HOME: home, USER: name, LOGNAME: name, SHELL: shell, LANG: lang, ...session };
}

function windowsMinimum({ systemRoot, systemDrive, programData, temp }: WindowsFolders): Record<string, string> {
  return {
    SystemRoot: systemRoot,
    SystemDrive: systemDrive,
    ProgramData: programData,
    ComSpec: `${systemRoot}\\System32\\cmd.exe`,
    PATH: `${systemRoot}\\System32;${systemRoot};${systemRoot}\\System32\\Wbem;${systemRoot}\\System32\\WindowsPowerShell\\v1.0`,
    PATHEXT: ".COM;.EXE;.BAT;.CMD",
    TEMP: temp,
    TMP: temp,
  };
}
