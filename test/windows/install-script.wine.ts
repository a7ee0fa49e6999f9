// install.cmd under Wine, which runs at each start: when it calls the installer, by what the agent there says. The installer is not there, so
// that calling it fails, and leaving the device alone succeeds.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { windowsFiles } from "../../operator/deployment/windows-ways.ts";
import { PROGRAMS, Wine } from "./wine.ts";

const PIN = "7K2MQ-9TX4B-1NC8D-VR5GH-WE3ZJ";
const OTHER = "BMQ0H-W1S3W-BV8C7-2R6K2-YJ75R";

let wine: Wine;
let script: string;

beforeAll(() => {
  wine = Wine.bare();
  const installer = { system: "windows", processor: "x64", name: "keybound-agent-1.2.3-x64.msi", sha256: "0" } as const;
  const facts = { version: "1.2.3", pin: PIN, rebind: false, installers: [installer], deployment: new Uint8Array(0) };
  const folder = join(wine.folder, "a policy's folder & more");
  mkdirSync(folder);
  for (const { name, text } of windowsFiles(facts)) writeFileSync(join(folder, name), text);
  // As a startup script is called, by a name that cmd itself does not take apart.
  script = join(wine.folder, "start.cmd");
  writeFileSync(script, `@call "${Wine.ofLinux(join(folder, "install.cmd"))}"\r\n`);
});

afterAll(() => wine?.[Symbol.dispose]());

/** Whether the script left alone a device whose agent answers so. */
async function isLeftAlone(version: string | undefined, pin: string): Promise<boolean> {
  rmSync(wine.path(PROGRAMS), { recursive: true, force: true });
  if (version !== undefined) {
    wine.compile("standing.c", `${PROGRAMS}\\node.exe`);
    writeFileSync(wine.path(`${PROGRAMS}\\--version.said`), `keybound-agent ${version}\r\n`);
    writeFileSync(wine.path(`${PROGRAMS}\\status.said`), `Owner     Acme (epoch 1), pin ${pin}\r\n`);
  }
  return (await wine.start(["cmd", "/c", Wine.ofLinux(script)]).ended()) === 0;
}

it.each([
  ["nothing is installed", undefined, PIN, false],
  ["an older version is", "1.2.2", PIN, false],
  ["an older version is, by numbers and not by letters", "1.1.9", PIN, false],
  ["one of an older line is", "0.9.9", PIN, false],
  ["this version is", "1.2.3", PIN, true],
  ["a newer one is", "1.2.10", PIN, true],
  ["one of a newer line is", "1.10.0", PIN, true],
  ["one of the next is", "2.0.0", PIN, true],
  ["a newer one is, with another owner", "2.0.0", OTHER, false],
])("where %s, it leaves the device alone: %s, %s: %s", async (_what, version, pin, is) => {
  expect(await isLeftAlone(version, pin)).toBe(is);
});
