// The .deb from installation to purge on each Debian that the mirror has, with the systemd, dpkg and libraries of that one.
import { expect, it, onTestFinished } from "vitest";
import { atWork, deploymentOn, dpkg, installed, NEXT_VERSION, NOW_VERSION, forAllTests, TRACES } from "./installed.ts";
import { Machine } from "./machine.ts";
import { SUITES } from "./root.ts";

const here = forAllTests();

type Scene = Awaited<ReturnType<typeof installed>>;
const DONE = { type: "exited", code: 0 };
const WARNINGS = "journalctl -q -p warning -o cat -u keybound-agent";
const UNIT = "/usr/lib/systemd/system/keybound-agent.service";

it.each(SUITES)(
  "%s installs and binds, answers a job, comes back from kill -9, upgrades, removes and purges",
  async (suite) => {
    const scene = await installed(here, { suite });
    console.log(`${suite}: ${versions(scene)}`);
    await expectJobInGroup(scene);
    expectNoComplaint(scene);
    await expectBack(scene);
    await expectUpgraded(scene);
    remove(scene);
    expect(scene.machine.does(TRACES)).toBe("");
  },
  // Where its root has to be made, on a busy machine.
  600_000,
);

function versions({ machine }: Scene): string {
  const libraries = "libc6 libstdc++6 libatomic1";
  return machine.does(`dpkg-query -W -f '\${Package} \${Version}, ' systemd dpkg ${libraries}`);
}

/** systemd passes on to the agent the group in which it makes those of its jobs. */
async function expectJobInGroup({ machine, desk, device }: Scene): Promise<void> {
  const receipt = await desk.receipt(device, await desk.send(device, "cat /proc/self/cgroup > /root/group"));
  expect([receipt.outcome, receipt.contained]).toEqual([DONE, "yes"]);
  expect(machine.read("/root/group")).toMatch(/^0::.*\/keybound-agent\.service\/.+$/m);
}

/** Neither of the unit's words nor of how the agent uses what it is given. */
function expectNoComplaint({ machine }: Scene): void {
  const { code, stdout, stderr } = machine.run(`systemd-analyze verify ${UNIT}`);
  expect([code, stdout, stderr]).toEqual([0, "", ""]);
  expect(machine.does(WARNINGS)).toBe("");
}

async function expectBack({ machine, desk, device }: Scene): Promise<void> {
  const job = await desk.send(device, "echo ran >> /root/trace; sleep 300");
  await machine.comesTrue("test -e /root/trace");
  machine.does("kill -9 $(systemctl show --value -p MainPID keybound-agent)");
  expect((await desk.receipt(device, job)).outcome.type).toBe("lost");
  // So a complaint would have been found.
  expect(machine.does(WARNINGS)).toContain("Failed with result 'signal'");
  expect((await desk.receipt(device, await desk.send(device, "true"))).outcome).toEqual(DONE);
  expect(machine.read("/root/trace")).toBe("ran\n");
}

async function expectUpgraded({ machine, tenant, desk, device }: Scene): Promise<void> {
  machine.does(dpkg(NEXT_VERSION));
  expect((await desk.receipt(device, await desk.send(device, "true"))).outcome).toEqual(DONE);
  expect(machine.does("keybound-agent status")).toMatch(new RegExp(`^Owner +${tenant.state.name}`, "m"));
  expect(machine.does("dpkg-query -W -f '${Version} ${Status}' keybound-agent")).toBe(
    `${NEXT_VERSION} install ok installed`,
  );
}

function remove({ machine }: Scene): void {
  machine.does("dpkg -r keybound-agent");
  expect(machine.run("pgrep -f 'keybound-agent[.]cjs'").stdout).toBe("");
  expect(machine.run("systemctl is-active keybound-agent").stdout).toBe("inactive\n");
  expect([UNIT, "/usr/bin/keybound-agent", "/usr/libexec/keybound-agent"].filter((one) => machine.has(one))).toEqual(
    [],
  );
  machine.does("dpkg --purge keybound-agent");
}

/** A machine's disk and an organisation, for containers that come and go on it. */
async function containerDisk() {
  const disk = new Machine(here.packages.folder);
  onTestFinished(() => disk[Symbol.asyncDispose]());
  // As images of containers are: no systemd, and no identity.
  const { code } = disk.runInImage("dpkg --purge --force-depends systemd-sysv systemd");
  expect([code, disk.has("/usr/bin/systemctl"), disk.has("/etc/machine-id")]).toEqual([0, false, false]);
  return { disk, tenant: await here.estate.found("containers") };
}

it("a container without systemd installs, binds, says that nothing was started, and serves by `keybound-agent run`", async () => {
  const { disk, tenant } = await containerDisk();
  const { code, stderr } = await disk.runInContainer(dpkg(NOW_VERSION), deploymentOn(disk, { ...here, tenant }));
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^bound to containers /m)]);
  expect(stderr).toContain("systemd does not run here, so the service was not started");
  const end = new AbortController();
  const serving = disk.runInContainer("exec keybound-agent run", {}, end.signal);
  const { desk, device } = await atWork(here.estate, tenant);
  const receipt = await desk.receipt(device, await desk.send(device, "echo ran >> /root/trace"));
  expect([receipt.outcome, disk.read("/root/trace")]).toEqual([DONE, "ran\n"]);
  end.abort();
  await serving;
  expect(await disk.runInContainer("dpkg --purge keybound-agent", {})).toMatchObject({ code: 0 });
  expect(disk.runInImage(TRACES).stdout).toBe("");
});
