// Who listens as systemd does, on a real socket, and keeps what it heard with the sender's pid.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { until } from "../e2e/program.ts";
import { folder } from "./bound.ts";

const LISTENER = join(import.meta.dirname, "notify-listener.py");

type Heard = { readonly pid: number; readonly says: string };

export async function listener(address = join(folder(), "notify")) {
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
