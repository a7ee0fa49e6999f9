// The .deb on machines with a real systemd: installed and bound in one line, killed, upgraded, downgraded, removed and purged, with
// jobs that are signed and carried by a relay on the host.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import {
  atWork,
  DAMAGE,
  deploymentOn,
  dpkg,
  FILES,
  fresh as freshMachine,
  installed as installedMachine,
  layUpdate,
  NEXT_VERSION,
  NOW_VERSION,
  forAllTests,
  TRACES,
} from "./installed.ts";
import { Machine } from "./machine.ts";

const here = forAllTests();

let count = 0;

const fresh = () => freshMachine(here);
const installed = () => installedMachine(here);

const ACTIVE = "systemctl is-active --quiet keybound-agent";
const pidOf = (machine: Machine) => machine.does("systemctl show --value -p MainPID keybound-agent");
const ownerOn = (machine: Machine) => JSON.parse(machine.does("keybound-agent status --json"));
/** Writes a line into /root/trace and goes on long enough to be caught at it. */
const TRACED = "echo ran >> /root/trace; sleep 300";

describe("one line", () => {
  it("installs, binds, starts, and the device runs what is signed for it, as root", async () => {
    const { machine, tenant } = await fresh();
    const { code, stderr } = machine.run(dpkg(NOW_VERSION), deploymentOn(machine, { ...here, tenant }));
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^bound to org\d+ \(epoch 1\)$/m)]);
    const { desk, device } = await atWork(here.estate, tenant);
    const receipt = await desk.receipt(device, await desk.send(device, "id -u > /root/who"));
    expect(receipt.outcome).toEqual({ type: "exited", code: 0 });
    expect(machine.read("/root/who")).toBe("0\n");
  });

  it("leaves what it said in a log that holds no secret", async () => {
    const { machine, tenant } = await installed();
    const log = machine.read("/var/log/keybound-agent-install.log");
    expect(log).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ bound to org\d+ \(epoch 1\)\n$/);
    expect(log).not.toContain(pinOf(tenant.id));
  });

  it("with a wrong pin fails in the agent's words, and is made good with the right one", async () => {
    const { machine, tenant } = await fresh();
    const right = deploymentOn(machine, { ...here, tenant });
    const other = await here.estate.found(`other${count++}`);
    const { code, stderr } = machine.run(dpkg(NOW_VERSION), { ...right, KEYBOUND_TRUST: pinOf(other.id) });
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound-agent: package-trust: ")]);
    expect(ownerOn(machine).bound).toBe(false);
    machine.does("dpkg --configure keybound-agent", right);
    expect(ownerOn(machine).bound).toBe(true);
  });

  it("that names a file which is not there fails", async () => {
    const { machine } = await fresh();
    const { code, stderr } = machine.run(dpkg(NOW_VERSION), { KEYBOUND_DEPLOYMENT: "/srv/none" });
    expect([code, stderr]).toEqual([1, expect.stringContaining("file-unreadable: /srv/none")]);
  });

  it("never gives the device to another organisation without the words for it", async () => {
    const { machine } = await installed();
    const stranger = await here.estate.found(`other${count++}`);
    const strange = deploymentOn(machine, { ...here, tenant: stranger });
    const { code, stderr } = machine.run(dpkg(NEXT_VERSION), strange);
    expect([code, stderr]).toEqual([1, expect.stringContaining("keybound-agent: owner-other: ")]);
    expect(machine.run(ACTIVE).code).toBe(0);
    machine.does("dpkg --configure keybound-agent", { ...strange, KEYBOUND_REBIND: "yes" });
    expect(machine.does("keybound-agent status")).toMatch(new RegExp(`^Owner +${stranger.state.name}`, "m"));
  });
});

describe("without a deployment", () => {
  it("the service waits, does not restart, and serves once the device is bound by hand", async () => {
    const { machine, tenant } = await fresh();
    machine.does(dpkg(NOW_VERSION));
    await machine.comesTrue("journalctl -u keybound-agent | grep -q 'waiting to be bound'");
    const pid = pidOf(machine);
    const { KEYBOUND_DEPLOYMENT: file, KEYBOUND_TRUST: pin } = deploymentOn(machine, { ...here, tenant });
    machine.does(`keybound-agent bind ${file} --trust ${pin}`);
    await atWork(here.estate, tenant);
    expect([pidOf(machine), machine.does("systemctl show --value -p NRestarts keybound-agent")]).toEqual([pid, "0"]);
  });

  it("a pin alone is a mistake, and is said to be one", async () => {
    const { machine, tenant } = await fresh();
    const { code, stderr } = machine.run(dpkg(NOW_VERSION), { KEYBOUND_TRUST: pinOf(tenant.id) });
    expect([code, stderr]).toEqual([1, expect.stringContaining("but no deployment")]);
  });
});

/** Lays the deployment where it waits to be taken. */
function leave(machine: Machine, from: Readonly<Record<"KEYBOUND_DEPLOYMENT" | "KEYBOUND_TRUST", string>>): void {
  machine.write("/etc/keybound/trust", `${from.KEYBOUND_TRUST}\n`);
  machine.runInImage(`mv ${from.KEYBOUND_DEPLOYMENT} /etc/keybound/deployment.keybound`);
}

describe("a deployment that waits in /etc/keybound", () => {
  it("is taken by the installation, and then gone", async () => {
    const { machine, tenant } = await fresh();
    leave(machine, deploymentOn(machine, { ...here, tenant }));
    machine.does(dpkg(NOW_VERSION));
    expect(ownerOn(machine).bound).toBe(true);
    expect(machine.does("ls -A /etc/keybound")).toBe("");
  });

  it("is not taken where others than root can write", async () => {
    const { machine, tenant } = await fresh();
    leave(machine, deploymentOn(machine, { ...here, tenant }));
    machine.does("chmod 0666 /etc/keybound/trust");
    const { code, stderr } = machine.run(dpkg(NOW_VERSION));
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("/etc/keybound/trust or its folder is not root's alone"),
    ]);
    expect(ownerOn(machine).bound).toBe(false);
  });

  it("stays in an image, and binds each machine that starts from it", async () => {
    const machine = new Machine(here.packages.folder);
    onTestFinished(() => machine[Symbol.asyncDispose]());
    const tenant = await here.estate.found(`other${count++}`);
    leave(machine, deploymentOn(machine, { ...here, tenant }));
    expect(machine.runInImage(dpkg(NOW_VERSION))).toMatchObject({ code: 0 });
    expect(machine.has("/var/lib/keybound")).toBe(false);
    await machine.start();
    await atWork(here.estate, tenant);
    expect(machine.does("ls -A /etc/keybound")).toBe("");
  });
});

describe("an installed agent", () => {
  it("comes back after kill -9, and does not run again what it ran", async () => {
    const { machine, desk, device } = await installed();
    const job = await desk.send(device, TRACED);
    await machine.comesTrue("test -e /root/trace");
    const pid = pidOf(machine);
    machine.does(`kill -9 ${pid}`);
    await machine.comesTrue(`systemctl show --value -p MainPID keybound-agent | grep -qvx -e 0 -e ${pid}`);
    expect((await desk.receipt(device, job)).outcome.type).toBe("lost");
    await desk.receipt(device, await desk.send(device, "true"));
    expect(machine.read("/root/trace")).toBe("ran\n");
  });

  it("is there after a start of the machine, before anybody logs on", async () => {
    const { machine, desk, device } = await installed();
    await machine.restart("orderly");
    const { outcome } = await desk.receipt(device, await desk.send(device, "true"));
    expect(outcome).toEqual({ type: "exited", code: 0 });
  });

  it("takes no orders from the environment", async () => {
    const { machine } = await installed();
    const hostile = { NODE_OPTIONS: "--require=/nowhere", LD_PRELOAD: "/nowhere.so", OPENSSL_CONF: "/nowhere.cnf" };
    expect(machine.does("keybound-agent --version", hostile)).toMatch(/^keybound-agent \d/);
  });

  it("starts no program of the caller's search path", async () => {
    const { machine } = await installed();
    machine.write("/root/bin/head", "#!/bin/sh\ntouch /root/stolen\n", 0o755);
    machine.does("keybound-agent status", { PATH: "/root/bin:/usr/bin:/bin" });
    expect(machine.has("/root/stolen")).toBe(false);
  });

  it("has no file that anybody but root could change, and a state that nobody else can read", async () => {
    const { machine } = await installed();
    const asNobody = (line: string) =>
      machine.run(`setpriv --reuid=65534 --regid=65534 --clear-groups sh -c '${line}'`);
    const writable = asNobody("for f in $(dpkg -L keybound-agent); do test ! -w $f || test -h $f || echo $f; done");
    expect(writable.stdout).toBe("");
    expect(asNobody("ls /var/lib/keybound").code).not.toBe(0);
    expect(asNobody("cat /var/log/keybound-agent-install.log").code).not.toBe(0);
    expect(asNobody("keybound-agent status").stdout).toMatch(/^Owner +org\d+/m);
    expect(machine.does("find / -xdev -path '*keybound*' -perm /022 ! -type l ! -path '/srv/*'")).toBe("");
  });
});

describe("an upgrade", () => {
  it("keeps owner and identity, answers the job that ran, and runs none twice", async () => {
    const { machine, desk, device } = await installed();
    const before = ownerOn(machine);
    const job = await desk.send(device, TRACED);
    await machine.comesTrue("test -e /root/trace");
    machine.does(dpkg(NEXT_VERSION));
    expect((await desk.receipt(device, job)).outcome).toEqual({ type: "cancelled", by: "agent-stop" });
    await desk.receipt(device, await desk.send(device, "true"));
    expect(machine.read("/root/trace")).toBe("ran\n");
    expect(ownerOn(machine).device).toBe(before.device);
    expect(machine.does("dpkg-query -W -f '${Version} ${Status}' keybound-agent")).toBe(
      `${NEXT_VERSION} install ok installed`,
    );
  });

  it("that a signed job starts by systemd-run goes through, and the job has its receipt", async () => {
    const { machine, desk, device } = await installed();
    const job = await desk.send(device, `systemd-run --quiet --no-block ${dpkg(NEXT_VERSION)}`);
    expect((await desk.receipt(device, job)).outcome).toEqual({ type: "exited", code: 0 });
    await machine.comesTrue(
      `dpkg-query -W -f '\${Version} \${Status}' keybound-agent | grep -q '${NEXT_VERSION} install ok installed'`,
    );
    const { outcome } = await desk.receipt(device, await desk.send(device, "true"));
    expect(outcome).toEqual({ type: "exited", code: 0 });
  });

  it.each([200, 1500, 4000])(
    "that the machine's death cuts off after %d ms leaves an agent that serves, and can be done again",
    async (cutMs) => {
      const { machine, tenant, desk, device } = await installed();
      machine.does(`${dpkg(NEXT_VERSION)} > /root/dpkg.log 2>&1 &`);
      await sleep(cutMs);
      await machine.restart("kill");
      await desk.receipt(device, await desk.send(device, "true"));
      machine.does(dpkg(NEXT_VERSION));
      await desk.receipt(device, await desk.send(device, "true"));
      expect(machine.does("keybound-agent status")).toMatch(new RegExp(`^Owner +${tenant.state.name}`, "m"));
      expect(machine.does("dpkg --audit")).toBe("");
    },
  );

  it("does not fail for a deployment that merely waits and is not taken", async () => {
    const { machine, tenant } = await installed();
    const stranger = await here.estate.found(`other${count++}`);
    leave(machine, deploymentOn(machine, { ...here, tenant: stranger }));
    const { code, stderr } = machine.run(dpkg(NEXT_VERSION));
    expect([code, stderr]).toEqual([0, expect.stringContaining("the owner is as before")]);
    expect(machine.does("keybound-agent status")).toMatch(new RegExp(`^Owner +${tenant.state.name}`, "m"));
  });

  it("leaves a service disabled that somebody disabled", async () => {
    const { machine } = await installed();
    machine.does("systemctl disable --now keybound-agent");
    machine.does(dpkg(NEXT_VERSION));
    expect(machine.run("systemctl is-enabled keybound-agent").stdout).toBe("disabled\n");
  });
});

describe("a downgrade", () => {
  it("is refused before anything changes, and the service goes on undisturbed", async () => {
    const { machine } = await fresh();
    machine.does(dpkg(NEXT_VERSION));
    const pid = pidOf(machine);
    const { code, stderr } = machine.run(dpkg(NOW_VERSION));
    expect([code, stderr]).toEqual([1, expect.stringContaining("KEYBOUND_DOWNGRADE=yes")]);
    expect([pidOf(machine), machine.does("dpkg-query -W -f '${Version} ${Status}' keybound-agent")]).toEqual([
      pid,
      `${NEXT_VERSION} install ok installed`,
    ]);
  });

  it("is done where the command insists", async () => {
    const { machine } = await fresh();
    machine.does(dpkg(NEXT_VERSION));
    machine.does(dpkg(NOW_VERSION), { KEYBOUND_DOWNGRADE: "yes" });
    expect(machine.does("dpkg-query -W -f '${Version}' keybound-agent")).toBe(NOW_VERSION);
  });

  it("that is insisted on ends what an update had brought", async () => {
    const { machine } = await fresh();
    machine.does(dpkg(NOW_VERSION));
    layUpdate(machine);
    machine.does(dpkg(NOW_VERSION));
    expect(machine.does("keybound-agent --version")).toBe("keybound-agent 0.2.0");
    machine.does(dpkg(NOW_VERSION), { KEYBOUND_DOWNGRADE: "yes" });
    expect(machine.does("keybound-agent --version")).toBe("keybound-agent 0.1.0");
  });
});

describe("the same version installed again", () => {
  it("mends what was deleted and changed, and is the same device with what it was bound to", async () => {
    const { machine, desk, device } = await installed();
    const owner = ownerOn(machine);
    const whole = machine.does(FILES);
    machine.does(DAMAGE);
    expect(machine.does(FILES)).not.toBe(whole);
    machine.does(dpkg(NOW_VERSION));
    expect(machine.does(FILES)).toBe(whole);
    const { outcome } = await desk.receipt(device, await desk.send(device, "true"));
    expect(outcome).toEqual({ type: "exited", code: 0 });
    expect(ownerOn(machine).device).toBe(owner.device);
    expect(machine.does("keybound-agent journal | grep -c ' left ' || true")).toBe("0");
  });
});

describe("removal", () => {
  it("stops it, tells the owner, and leaves the journal and what the installation said", async () => {
    const { machine } = await installed();
    expect(machine.does("dpkg -r keybound-agent")).toContain("the owner's relay was told");
    expect(machine.run("pgrep -f 'keybound-agent[.]cjs'").stdout).toBe("");
    const others = ["/srv", "/root", "/var/lib/dpkg", "/var/lib/systemd"].map((path) => `! -path '${path}/*'`);
    const left = machine.does(`find / -xdev -type f -path '*keybound*' ${others.join(" ")} | sort`);
    expect(left.split("\n")).toEqual([
      "/var/lib/keybound/lock.db",
      "/var/lib/keybound/state.db",
      "/var/log/keybound-agent-install.log",
    ]);
  });

  it("and the same package again make another device of the same owner, on the old journal", async () => {
    const { machine, tenant } = await fresh();
    const deployment = deploymentOn(machine, { ...here, tenant });
    machine.does(dpkg(NOW_VERSION), deployment);
    const before = ownerOn(machine);
    machine.does("dpkg -r keybound-agent");
    machine.does(dpkg(NOW_VERSION), deployment);
    expect(ownerOn(machine).device).not.toBe(before.device);
    expect(machine.does("keybound-agent journal --verify")).toMatch(/^the chain holds from entry 1 /);
    expect(machine.does("keybound-agent journal | grep -c ' left '")).toBe("1");
    expect(machine.does("systemctl is-enabled keybound-agent")).toBe("enabled");
  });

  it("goes on without a network, and says that nobody was told", async () => {
    const { machine, tenant } = await fresh();
    machine.does(dpkg(NOW_VERSION), deploymentOn(machine, { ...here, tenant }));
    expect(machine.does("unshare -n dpkg -r keybound-agent")).toContain("nobody was told");
    expect(machine.has("/var/lib/keybound.status.json")).toBe(false);
  });

  it("after it, a waiting deployment that is refused fails the installation, as at a first one", async () => {
    const { machine, tenant } = await installed();
    machine.does("dpkg -r keybound-agent");
    const other = await here.estate.found(`other${count++}`);
    leave(machine, { ...deploymentOn(machine, { ...here, tenant }), KEYBOUND_TRUST: pinOf(other.id) });
    const { code, stderr } = machine.run(dpkg(NOW_VERSION));
    expect([code, stderr]).toEqual([1, expect.stringContaining("installed, but not bound by this deployment")]);
    expect(ownerOn(machine).bound).toBe(false);
  });

  it("goes on where the agent hangs, and says what stays", async () => {
    const { machine } = await installed();
    machine.write("/usr/bin/keybound-agent", "#!/bin/sh\ntrap '' TERM\nsleep 1000\n", 0o755);
    const { code, stderr } = machine.run("dpkg -r keybound-agent");
    expect([code, stderr]).toEqual([0, expect.stringContaining("owner and keys stay in /var/lib/keybound")]);
    expect(machine.has("/usr/libexec/keybound-agent")).toBe(false);
  });

  it("from a disk that is none of this machine's takes nothing of this machine", async () => {
    const { machine } = await installed();
    const disk = "/root/disk/var/lib/keybound";
    machine.does(`mkdir -p ${disk} && DPKG_ROOT=/root/disk sh /var/lib/dpkg/info/keybound-agent.postrm purge`);
    expect([machine.has(disk), machine.has("/var/lib/keybound/state.db")]).toEqual([false, true]);
  });

  it("with a purge leaves nothing, not even a consent that waited, and it can be installed anew", async () => {
    const { machine } = await installed();
    // As a job leaves it that brought files.
    machine.does("mkdir -m 711 /var/lib/keybound.files && touch /etc/keybound/rebind");
    machine.does("dpkg --purge keybound-agent");
    expect(machine.does(TRACES)).toBe("");
    machine.does(dpkg(NOW_VERSION));
    expect(ownerOn(machine).bound).toBe(false);
    expect([machine.run(ACTIVE).code, machine.does("systemctl is-enabled keybound-agent")]).toEqual([0, "enabled"]);
  });
});
