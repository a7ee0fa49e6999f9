// What systemd hears of a relay that it started, over a real socket.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { notifyListener } from "../e2e/notify-listener.ts";
import { until } from "../e2e/program.ts";

const MAIN = join(import.meta.dirname, "../../relay/main.ts");

function relay(listen: string, env: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), "keybound-relay-"));
  const child = spawn(process.execPath, [MAIN, "serve", "--listen", listen], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const said = { out: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.out += text));
  const ended = once(child, "exit").then(([code]: (number | null)[]) => code ?? null);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  return { child, said, ended };
}

it("hears from the relay itself that it serves, after the claim code, that it lives, and that it stops", async () => {
  const { address, heard, hears } = await notifyListener();
  const { child, said, ended } = relay("127.0.0.1:0", { NOTIFY_SOCKET: address, WATCHDOG_USEC: "600000" });
  await hears("READY=1");
  expect(said.out).toContain("claim code: ");
  await until(() => heard.filter(({ says }) => says === "WATCHDOG=1").length > 3, "beats");
  child.kill("SIGTERM");
  await hears("STOPPING=1");
  expect([await ended, new Set(heard.map(({ pid }) => pid))]).toEqual([0, new Set([child.pid])]);
});

it("hears nothing where the relay cannot serve", async () => {
  const { address, heard } = await notifyListener(`@keybound-${randomUUID()}`);
  const { ended } = relay("192.0.2.1:0", { NOTIFY_SOCKET: address });
  expect([await ended, heard]).toEqual([2, []]);
});

it("hears no beat that nobody asked for, at an abstract address too", async () => {
  const { address, heard, hears } = await notifyListener(`@keybound-${randomUUID()}`);
  relay("127.0.0.1:0", { NOTIFY_SOCKET: address });
  await hears("READY=1");
  expect(heard.map(({ says }) => says)).toEqual(["READY=1"]);
});
