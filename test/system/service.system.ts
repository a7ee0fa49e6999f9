// The service under a real systemd: when it counts as active, how a hung agent is ended and comes back, and what jobs see of it.
import { describe, expect, it } from "vitest";
import { deploymentOn, installed as installedMachine, forAllTests } from "./installed.ts";
import type { Machine } from "./machine.ts";

const here = forAllTests();

const installed = () => installedMachine(here);

/** The same with a watchdog of 3 s in place of 90, and a job at work. */
async function watched() {
  const scene = await installed();
  const { machine, desk, device } = scene;
  machine.write("/etc/systemd/system/keybound-agent.service.d/soon.conf", "[Service]\nWatchdogSec=3\n", 0o644);
  machine.does("systemctl daemon-reload && systemctl restart keybound-agent");
  const job = await desk.send(device, TRACED);
  await machine.comesTrue("test -e /root/trace");
  return { ...scene, job, pid: shown(machine, "MainPID") };
}

/** Writes a line into /root/trace and goes on long enough to be caught at it. */
const TRACED = "echo ran >> /root/trace; sleep 300";
const shown = (machine: Machine, property: string) =>
  machine.does(`systemctl show --value -p ${property} keybound-agent`);
const logged = (priority: string) => `journalctl -q -o cat -t keybound-agent -p ${priority}..${priority}`;
const isBack = (machine: Machine, pid: string) =>
  machine.comesTrue(
    `systemctl is-active --quiet keybound-agent && systemctl show --value -p MainPID keybound-agent | grep -qvx -e 0 -e ${pid}`,
  );

async function expectSameOwnerAndOneAnswer({
  machine,
  tenant,
  desk,
  device,
  job,
}: Awaited<ReturnType<typeof watched>>) {
  expect((await desk.receipt(device, job)).outcome.type).toBe("lost");
  expect((await desk.receipt(device, await desk.send(device, "true"))).outcome).toEqual({ type: "exited", code: 0 });
  expect(machine.read("/root/trace")).toBe("ran\n");
  const finished = `keybound-agent journal --json --last 1000 | grep -F ${job.job} | grep -cF '\\"type\\":\\"finished\\"'`;
  expect(machine.does(finished)).toBe("1");
  expect(machine.does("keybound-agent status")).toMatch(new RegExp(`^Owner +${tenant.state.name}`, "m"));
}

describe("the service", () => {
  it("is active once the agent serves, says whose it is and to whom it is connected, and hides itself from jobs", async () => {
    const { machine, tenant, desk, device } = await installed();
    expect([shown(machine, "Type"), shown(machine, "NotifyAccess"), shown(machine, "ActiveState")]).toEqual([
      "notify",
      "main",
      "active",
    ]);
    await machine.comesTrue("systemctl show --value -p StatusText keybound-agent | grep -q ': connected to ws'");
    expect(shown(machine, "StatusText")).toMatch(new RegExp(`^${tenant.state.name}: connected to wss?://`));
    const { outcome } = await desk.receipt(device, await desk.send(device, "env > /root/env"));
    expect(outcome).toEqual({ type: "exited", code: 0 });
    expect(machine.read("/root/env")).not.toMatch(/NOTIFY_SOCKET|WATCHDOG/);
  });

  it("is not active where the agent cannot serve, says why, and is back when that was put right", async () => {
    const { machine, tenant } = await installed();
    machine.does("systemctl stop keybound-agent && echo 0123456789abcdef0123456789abcdef > /etc/machine-id");
    machine.does("systemctl start --no-block keybound-agent");
    await machine.comesTrue("systemctl show --value -p StatusText keybound-agent | grep -q 'made on another machine'");
    expect([shown(machine, "ActiveState"), shown(machine, "NRestarts")]).toEqual(["activating", "0"]);
    const { KEYBOUND_DEPLOYMENT: file, KEYBOUND_TRUST: pin } = deploymentOn(machine, { ...here, tenant });
    machine.does(`keybound-agent bind ${file} --trust ${pin}`);
    await machine.comesTrue("systemctl is-active --quiet keybound-agent");
  });

  it("is back within seconds of a kill -9", async () => {
    const scene = await watched();
    const start = performance.now();
    scene.machine.does(`kill -9 ${scene.pid}`);
    await isBack(scene.machine, scene.pid);
    const tookMs = performance.now() - start;
    console.log(`back ${Math.round(tookMs)} ms after kill -9`);
    expect(tookMs).toBeLessThan(15_000);
    await expectSameOwnerAndOneAnswer(scene);
  });
});

describe("the watchdog", () => {
  it("ends an agent that stands still, which comes back with its owner and answers the job as lost, once", async () => {
    const scene = await watched();
    scene.machine.does(`kill -STOP ${scene.pid}`);
    await isBack(scene.machine, scene.pid);
    expect(scene.machine.does("journalctl -u keybound-agent")).toMatch(/[Ww]atchdog timeout/);
    await expectSameOwnerAndOneAnswer(scene);
  });

  it("ends an agent whose event loop spins", async () => {
    const scene = await watched();
    // Node's debugger, opened by a signal, is the way into a loop that runs.
    scene.machine.does(`kill -USR1 ${scene.pid}`);
    await scene.machine.until(() => evaluate(scene.machine, "for (;;);"), "the loop to spin");
    await isBack(scene.machine, scene.pid);
    expect(scene.machine.does("journalctl -u keybound-agent")).toMatch(/[Ww]atchdog timeout/);
    await expectSameOwnerAndOneAnswer(scene);
  });
});

// As on macOS, where standard output leads to no log of the system's; logger(1) is Debian's here, and the log journald's.
it("what the agent writes into a file of its own is in the system's log as well, with the fault that ends it and its own last word", async () => {
  const { machine } = await installed();
  const settings = "Environment=KEYBOUND_LOG_FILE=/var/log/keybound-agent.log KEYBOUND_LOG_SYSTEM=info";
  machine.write("/etc/systemd/system/keybound-agent.service.d/log.conf", `[Service]\n${settings}\n`, 0o644);
  machine.does("systemctl daemon-reload && systemctl restart keybound-agent");
  await machine.comesTrue(`${logged("notice")} | grep -q '"msg":"connected"'`);
  const own = machine.read("/var/log/keybound-agent.log").trim().split("\n");
  expect(machine.does(logged("notice")).split("\n").slice(0, 3)).toEqual(
    own.slice(0, 3).map((line) => `keybound-agent ${line}`),
  );
  const pid = shown(machine, "MainPID");
  machine.does(`kill -USR1 ${pid}`);
  const fault = "setTimeout(() => { throw new Error('made by a test'); })";
  await machine.until(() => evaluate(machine, fault), "a fault");
  await isBack(machine, pid);
  await machine.comesTrue(`${logged("crit")} | grep 'ended by a fault' | grep -q 'made by a test'`);
  machine.does("systemctl stop keybound-agent");
  await machine.comesTrue(`${logged("notice")} | tail -n 1 | grep -q '"msg":"stopped"'`);
});

/** Whether the agent was told by its debugger, which SIGUSR1 opened, to carry this out. */
function evaluate(machine: Machine, expression: string): boolean {
  const script = `fetch("http://127.0.0.1:9229/json").then((r) => r.json()).then(([{ webSocketDebuggerUrl: url }]) => {
    const socket = new WebSocket(url);
    socket.onopen = () => {
      socket.send(JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression: ${JSON.stringify(expression)} } }));
      setTimeout(() => process.exit(0), 500);
    };
  }, () => process.exit(1));`;
  machine.write("/root/spin.mjs", script);
  return machine.run("/usr/libexec/keybound-agent/node /root/spin.mjs").code === 0;
}
