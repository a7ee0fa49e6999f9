// What a service manager of systemd's kind hears of the agent, over a real socket.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { isExecutable } from "../../agent/run/ask-program.ts";
import { openDatagrams } from "../../agent/run/libc.ts";
import { openSupervisor, sentBySystemdNotify, takeSupervisorAddress } from "../../agent/service/supervisor.ts";
import { readMachine } from "../../agent/machine.ts";
import { Tenant } from "../cast/tenant.ts";
import { notifyListener } from "../e2e/notify-listener.ts";
import { until } from "../e2e/program.ts";
import { bindTo, folder, openState } from "./bound.ts";

const AGENT = join(import.meta.dirname, "../../agent/main.ts");

function agent(path: string, env: Readonly<Record<string, string>>, flags: readonly string[] = []) {
  const child = spawn(process.execPath, [...flags, AGENT, "run", "--state", path], { stdio: "ignore", env });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, pid: child.pid ?? 0, ended };
}

it("hears from the agent itself that it waits to be bound, that it lives, and that it stops", async () => {
  const { address, heard, hears } = await notifyListener();
  const { child, pid, ended } = agent(join(folder(), "state"), { NOTIFY_SOCKET: address, WATCHDOG_USEC: "600000" });
  await hears("READY=1");
  expect(heard.map(({ says }) => says)).toContain("STATUS=this device has no owner yet; waiting to be bound");
  await until(() => heard.filter(({ says }) => says === "WATCHDOG=1").length > 3, "beats");
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  await hears("STOPPING=1");
  expect(new Set(heard.map((message) => message.pid))).toEqual(new Set([pid]));
  expect(heard.filter(({ says }) => says === "READY=1")).toHaveLength(1);
});

// As root it speaks for the process that started it; from anybody else systemd hears nothing (NotifyAccess=main).
it.runIf(isExecutable("/usr/bin/systemd-notify") && process.getuid?.() === 0)(
  "hears all of it by systemd's own program, in the agent's name, from an agent whose Node has no node:ffi",
  async () => {
    const { address, heard, hears } = await notifyListener();
    const path = join(folder(), "state");
    const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: "3000000" };
    const { child, pid, ended } = agent(path, env, ["--no-experimental-ffi"]);
    await hears("READY=1");
    await hears("STATUS=this device has no owner yet; waiting to be bound");
    await until(() => heard.filter(({ says }) => says === "WATCHDOG=1").length > 2, "beats");
    // Its question whether all was read is its own.
    const said = heard.filter(({ says }) => says !== "BARRIER=1");
    expect(said.filter((message) => message.pid !== pid)).toEqual([]);
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
  },
);

it.runIf(isExecutable("/usr/bin/systemd-notify"))(
  "hears what is said by systemd's own program in its order",
  async () => {
    const { address, heard } = await notifyListener();
    const send = sentBySystemdNotify(address);
    const words = Array.from({ length: 12 }, (_, at) => `STATUS=${at}`);
    for (const word of words) send(Buffer.from(word));
    const said = () => heard.map(({ says }) => says).filter((line) => line.startsWith("STATUS="));
    await until(() => said().length === words.length, "all of it");
    expect(said()).toEqual(words);
  },
);

it("hears no beat from an agent that stands still, and beats again once it goes on", async () => {
  const { address, heard, hears } = await notifyListener();
  const { child } = agent(join(folder(), "state"), { NOTIFY_SOCKET: address, WATCHDOG_USEC: "600000" });
  await hears("READY=1");
  child.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = heard.length;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(heard).toHaveLength(before);
  child.kill("SIGCONT");
  await until(() => heard.length > before, "a beat");
});

it("hears whose the device is, and why its relay is not reached", async () => {
  const { address, heard, hears } = await notifyListener();
  const path = join(folder(), "state");
  const deployment = { relays: ["ws://127.0.0.1:9"] };
  bindTo(openState(path), new Tenant(), { deployment, machine: readMachine(0) });
  agent(path, { NOTIFY_SOCKET: address });
  await hears("READY=1");
  const why = /^STATUS=.+: not connected to ws:\/\/127\.0\.0\.1:9: .*ECONNREFUSED.*; tries again in \d+ s$/;
  await until(
    () => heard.some(({ says }) => why.test(says)),
    "why",
    () => JSON.stringify(heard),
  );
  expect(heard.map(({ says }) => says)).not.toContain("STOPPING=1");
});

it("hears what keeps the agent from serving, before it ends, and never that it is ready", async () => {
  const { address, heard } = await notifyListener();
  const path = join(folder(), "state");
  bindTo(openState(path), new Tenant());
  const { child, ended } = agent(path, { NOTIFY_SOCKET: address });
  const why = /^STATUS=cannot serve: this device's identity was made on another machine/;
  await until(
    () => heard.some(({ says }) => why.test(says)),
    "why",
    () => JSON.stringify(heard),
  );
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(child.exitCode).toBeNull();
  child.kill("SIGTERM");
  expect(await ended).toBe(1);
  expect(heard.map(({ says }) => says)).not.toContain("READY=1");
});

it("gets one line of what anybody said, and never an order of theirs", async () => {
  const { address, heard } = await notifyListener(`@keybound-${randomUUID()}`);
  using supervisor = openSupervisor({ socket: address, watchdogUs: undefined });
  supervisor.says("the relay said:\nMAINPID=1\r\nREADY=1\u2028x");
  await until(() => heard.length > 0, "it");
  expect(heard).toEqual([{ pid: process.pid, says: "STATUS=the relay said: MAINPID=1 READY=1 x" }]);
});

it("that is gone harms nobody", () => {
  expect(openDatagrams(join(folder(), "nobody"))?.(Buffer.from("READY=1"))).toBe(false);
});

it("is known to the agent alone: the environment that jobs' helpers get has none of it", () => {
  const env = { NOTIFY_SOCKET: "/run/systemd/notify", WATCHDOG_USEC: "90000000", WATCHDOG_PID: "7", HOME: "/root" };
  expect(takeSupervisorAddress(env, 7)).toEqual({ socket: "/run/systemd/notify", watchdogUs: 90_000_000 });
  expect(env).toEqual({ HOME: "/root" });
});

it.each([
  [{ NOTIFY_SOCKET: "vsock:2:1234" }, undefined],
  [{ WATCHDOG_USEC: "1000" }, undefined],
  [
    { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "1000", WATCHDOG_PID: "8" },
    { socket: "@x", watchdogUs: undefined },
  ],
  [
    { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "soon" },
    { socket: "@x", watchdogUs: undefined },
  ],
])("%j is %j", (env, address) => expect(takeSupervisorAddress(env, 7)).toEqual(address));
