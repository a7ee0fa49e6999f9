// A service manager of systemd's kind, as far as it listens: what was sent to its socket, and by which process.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { until } from "./program.ts";

const LISTENER = join(import.meta.dirname, "notify-listener.py");

export type Heard = { readonly pid: number; readonly says: string };

/** Listens until the test ends. */
export async function notifyListener(address = join(folder(), "notify")) {
  const heard: Heard[] = [];
  const child = spawn("/usr/bin/python3", [LISTENER, address], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    if (line.startsWith("{")) heard.push(JSON.parse(line));
  });
  await until(() => lines.length > 0, "a listener");
  const hears = (line: string) =>
    until(
      () => heard.some(({ says }) => says === line),
      line,
      () => JSON.stringify(heard),
    );
  return { address, heard, hears };
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "keybound-notify-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}
