// The .rpm by rpm's own tools: what it asks for, whole in a root of its own, and its scripts on a machine with a real systemd. That
// machine is a Debian, whose libraries no rpm database knows: so --nodeps.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import type { Tenant } from "../cast/tenant.ts";
import {
  atWork,
  DAMAGE,
  deploymentOn,
  FILES,
  fresh as freshMachine,
  layUpdate,
  NEXT_VERSION,
  NOW_VERSION,
  forAllTests,
} from "./installed.ts";
import type { Machine } from "./machine.ts";

const here = forAllTests();

const rpm = (...args: readonly string[]) => execFileSync("rpm", args, { encoding: "utf8" });
const file = (version = NOW_VERSION) => join(here.packages.folder, `${version}.rpm`);
const line = (how: string, version: string) => `rpm ${how} --force-debian --nodeps /srv/shared/${version}.rpm`;

describe("the .rpm", () => {
  it("asks for what its Node needs, and is whole", () => {
    const requires = rpm("-qp", "--requires", file()).split("\n");
    expect(requires).toEqual(
      expect.arrayContaining(["libatomic.so.1()(64bit)", "libstdc++.so.6()(64bit)", "findutils"]),
    );
    expect(rpm("-K", file())).toMatch(/digests OK/);
  });

  it("has what its scripts call there before they run, also where a whole system is installed at once", () => {
    const scripts = ["post", "preun", "postun"];
    const lines = rpm("-qp", "--qf", "[%{REQUIRENAME} %{REQUIREFLAGS:deptype}\n]", file()).split("\n");
    const needed = ["coreutils", "findutils", "sed"].flatMap((name) => scripts.map((script) => `${name} ${script}`));
    expect(needed.filter((one) => !lines.includes(one))).toEqual([]);
    const order = rpm("-qp", "--qf", "[%{ORDERNAME} %{ORDERFLAGS:deptype}\n]", file()).trim().split("\n");
    expect(order.toSorted()).toEqual(["systemd post", "systemd postun", "systemd preun"]);
  });

  it("has its licences also where documents are left out", () => {
    expect(rpm("-qp", "--licensefiles", file())).toBe("/usr/share/doc/keybound-agent/copyright\n");
  });

  it("installs into a root of its own, every file with its size, hash, mode and owner", () => {
    const root = mkdtempSync(join(tmpdir(), "keybound-rpm-root-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    rpm("--root", root, "--initdb");
    rpm("--root", root, "-i", "--nodeps", "--noscripts", file());
    expect(rpm("--root", root, "-V", "--nodeps", "keybound-agent")).toBe("");
    expect(statSync(join(root, "etc/keybound")).mode & 0o777).toBe(0o700);
    expect(execFileSync(join(root, "usr/libexec/keybound-agent/node"), ["-p", "1 + 1"], { encoding: "utf8" })).toBe(
      "2\n",
    );
  });
});

/** A machine that knows rpm, and an organisation. */
async function fresh() {
  const made = await freshMachine(here);
  made.machine.does("rpm --initdb");
  return made;
}

async function installed() {
  const { machine, tenant } = await fresh();
  machine.does(line("-i", NOW_VERSION), deploymentOn(machine, { ...here, tenant }));
  return { machine, tenant, ...(await atWork(here.estate, tenant)) };
}

/** What binds the machine to the organisation but for a pin of another's. */
async function wrongOn(machine: Machine, tenant: Tenant) {
  const other = await here.estate.found(`not ${tenant.state.name}`);
  return { ...deploymentOn(machine, { ...here, tenant }), KEYBOUND_TRUST: pinOf(other.id) };
}

/** The second half of the line that INSTALL.txt has for rpm. */
const belongsTo = (tenant: Tenant) => `keybound-agent status | grep -q '^Owner.*${pinOf(tenant.id)}'`;

describe("rpm", () => {
  it("installs, binds, enables and starts in one line, and a signed job runs", async () => {
    const { machine, desk, device } = await installed();
    const { outcome } = await desk.receipt(device, await desk.send(device, "true"));
    expect(outcome).toEqual({ type: "exited", code: 0 });
    expect(machine.does("systemctl is-enabled keybound-agent")).toBe("enabled");
    machine.does("keybound-agent status | grep -q ^Owner");
  });

  it("says that a deployment was refused, which its exit code does not, but the line after it does", async () => {
    const { machine, tenant } = await fresh();
    const { code, stderr } = machine.run(line("-i", NOW_VERSION), await wrongOn(machine, tenant));
    expect([code, stderr]).toEqual([0, expect.stringContaining("keybound-agent: package-trust: ")]);
    expect(stderr).toMatch(/%post\(.*\) scriptlet failed, exit status 1/);
    expect(machine.run(belongsTo(tenant)).code).toBe(1);
    expect(machine.run("systemctl is-active keybound-agent").stdout).toBe("active\n");
  });

  it("so it does where the device has an owner, and the deployment was another's", async () => {
    const { machine, tenant } = await installed();
    const stranger = await here.estate.found(`after ${tenant.state.name}`);
    const { code, stderr } = machine.run(
      line("-U", NEXT_VERSION),
      deploymentOn(machine, { ...here, tenant: stranger }),
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining("keybound-agent: owner-other: ")]);
    expect([machine.run(belongsTo(stranger)).code, machine.run(belongsTo(tenant)).code]).toEqual([1, 0]);
  });

  it("upgrades whole beside a deployment that is refused", async () => {
    const { machine, tenant } = await fresh();
    machine.does(line("-i", NOW_VERSION));
    const { stderr } = machine.run(line("-U", NEXT_VERSION), await wrongOn(machine, tenant));
    expect(stderr).toContain("keybound-agent: package-trust: ");
    expect(machine.does("rpm -q keybound-agent")).toMatch(new RegExp(`^keybound-agent-${NEXT_VERSION}-1\\.\\w+$`));
  });

  it("upgrades to the same device with the service restarted, and refuses to go back", async () => {
    const { machine, desk, device } = await installed();
    const pid = machine.does("systemctl show --value -p MainPID keybound-agent");
    machine.does(line("-U", NEXT_VERSION));
    expect(machine.does("systemctl show --value -p MainPID keybound-agent")).not.toBe(pid);
    expect(machine.run(line("-U", NOW_VERSION))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/newer than/),
    });
    const { outcome } = await desk.receipt(device, await desk.send(device, "true"));
    expect(outcome).toEqual({ type: "exited", code: 0 });
  });

  it("goes back with --oldpackage, and with the word for it ends what an update had brought", async () => {
    const { machine } = await installed();
    machine.does(line("-U", NEXT_VERSION));
    layUpdate(machine);
    machine.does(line("-U --oldpackage", NOW_VERSION), { KEYBOUND_DOWNGRADE: "yes" });
    expect(machine.does("rpm -q keybound-agent")).toMatch(new RegExp(`^keybound-agent-${NOW_VERSION}-1\\.\\w+$`));
    expect(machine.does("keybound-agent --version")).toBe("keybound-agent 0.1.0");
  });

  it("mends what was deleted and changed by the same version again, and stays the same device", async () => {
    const { machine, desk, device } = await installed();
    const [whole, pid] = [machine.does(FILES), machine.does("systemctl show --value -p MainPID keybound-agent")];
    machine.does(DAMAGE);
    machine.does(line("-U --replacepkgs", NOW_VERSION));
    expect(machine.does(FILES)).toBe(whole);
    expect(machine.does("systemctl show --value -p MainPID keybound-agent")).not.toBe(pid);
    const { outcome } = await desk.receipt(device, await desk.send(device, "true"));
    expect(outcome).toEqual({ type: "exited", code: 0 });
    expect(machine.does("keybound-agent journal | grep -c ' left ' || true")).toBe("0");
  });

  it("erases program and service, tells the owner, and keeps the journal", async () => {
    const { machine } = await installed();
    expect(machine.does("rpm -e --force-debian --nodeps keybound-agent")).toContain("the owner's relay was told");
    expect(machine.does("ls /var/lib/keybound")).toBe("lock.db\nstate.db");
    expect(machine.run("pgrep -f 'keybound-agent[.]cjs'").stdout).toBe("");
    expect([machine.has("/usr/libexec/keybound-agent"), machine.has("/var/lib/keybound/state.db")]).toEqual([
      false,
      true,
    ]);
  });
});
