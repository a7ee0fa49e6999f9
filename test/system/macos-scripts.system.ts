// What the scripts of the macOS package do, on a disk that stands for a Mac (mac-stand-in.ts says how far): binding, versions, launchd.
import { chownSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import { packageOf } from "../cast/package.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { MacStandIn, makeMacPackages, type Packages, PROGRAM } from "./mac-stand-in.ts";

const LABEL = "system/io.keybound.agent";
const PLIST = "/Library/LaunchDaemons/io.keybound.agent.plist";
const BOOTSTRAP = `launchctl bootstrap system ${PLIST}`;
const BESIDE = "/root/downloads/deployment.keybound";
const WAITING = "/etc/keybound/deployment.keybound";
const PIN = "/etc/keybound/trust";
const REBIND = "/etc/keybound/rebind";
const LOG = "/var/log/keybound-agent-install.log";
const clock = { now: Date.now(), turn: () => Date.now() };
const tenantOf = (name: string) => new Tenant({ name, founder: person(`founder of ${name}`, "admin"), clock });
const [acme, other] = [tenantOf("Acme"), tenantOf("Other")];
/** Nobody listens there: a device is bound at once, and enrols when it hears a relay. */
const fileOf = (tenant: Tenant) => packageOf(tenant, { deployment: { relays: ["ws://127.0.0.1:9"] } });

let packages: Packages;

beforeAll(async () => {
  packages = await makeMacPackages("0.1.0", "0.1.1");
});

afterAll(() => packages[Symbol.dispose]());

function aMac(): MacStandIn {
  const mac = new MacStandIn(packages);
  onTestFinished(() => mac[Symbol.asyncDispose]());
  return mac;
}

/** With this tenant's deployment waiting in root's folder, and its pin. */
function withWaiting(tenant: Tenant): MacStandIn {
  const mac = aMac();
  lay(mac, tenant);
  return mac;
}

function lay({ machine }: MacStandIn, tenant: Tenant): void {
  machine.write(WAITING, fileOf(tenant));
  machine.write(PIN, `${pinOf(tenant.id)}\n`);
}

const UNINSTALL = `${PROGRAM}/uninstall`;
const STATUS = "/var/db/keybound.status.json";

function installed(): MacStandIn {
  const mac = withWaiting(acme);
  if (mac.install("0.1.0").code !== 0) throw new Error(mac.machine.read(LOG));
  mac.calls();
  return mac;
}
const deviceOf = (mac: MacStandIn) => JSON.parse(mac.run("/usr/local/bin/keybound-agent status --json").stdout).device;

/** For as long as it takes to say this, and then told to stop as launchd does; its exit code. */
const serve = (mac: MacStandIn, says: string) =>
  mac.run(
    `${PROGRAM}/keybound-agent-service >>/var/log/keybound-agent.log 2>&1 & pid=$!
     for i in $(seq 300); do grep -q '${says}' /var/log/keybound-agent.log && break; sleep 0.1; done
     kill -TERM $pid; wait $pid; echo $?`,
    { KEYBOUND_LOG_FILE: "/var/log/keybound-agent.log", NODE_OPTIONS: "--no-such-option" },
  ).stdout;

function removable(): MacStandIn {
  const mac = withWaiting(acme);
  mac.install("0.1.0");
  mac.machine.write(STATUS, "{}");
  mac.machine.write("/var/log/keybound-agent.log.1", "");
  mac.machine.write("/etc/keybound/trust", "");
  mac.calls();
  return mac;
}
const left = (mac: MacStandIn, ...paths: readonly string[]) => paths.filter((path) => mac.machine.has(path));

describe("an installation", () => {
  it("without a deployment starts the agent, which waits", () => {
    const mac = aMac();
    const { code, stderr } = mac.install("0.1.0");
    expect([code, stderr]).toEqual([0, "keybound-agent: 0.1.0 installed\n"]);
    expect(mac.calls()).toEqual([
      `launchctl bootout ${LABEL}`,
      `launchctl print ${LABEL}`,
      "launchctl print-disabled system",
      BOOTSTRAP,
    ]);
    expect(mac.owner()).toBeUndefined();
    expect(mac.machine.read(LOG)).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}Z keybound-agent: 0\.1\.0 installed$/m);
    expect(mac.run(`stat -c %a ${LOG}`).stdout).toBe("600\n");
  });

  it("binds to the deployment that waits, before the service starts, and uses it up", () => {
    const mac = withWaiting(acme);
    const { code, stderr } = mac.install("0.1.0");
    expect([code, stderr.split("\n")[0]]).toEqual([0, "bound to Acme (epoch 1)"]);
    expect(mac.owner()).toBe("Acme");
    expect([WAITING, PIN].filter((file) => mac.machine.has(file))).toEqual([]);
  });

  it("takes a deployment beside the package with the pin that waits, and leaves it there", () => {
    const mac = aMac();
    mac.machine.write(BESIDE, fileOf(acme));
    mac.machine.write(PIN, pinOf(acme.id));
    expect(mac.install("0.1.0").code).toBe(0);
    expect([mac.owner(), mac.machine.has(BESIDE), mac.machine.has(PIN)]).toEqual(["Acme", true, false]);
  });

  it("takes none beside the package without a pin", () => {
    const mac = aMac();
    mac.machine.write(BESIDE, fileOf(acme));
    expect([mac.install("0.1.0").code, mac.owner()]).toEqual([0, undefined]);
  });

  it("fails where the pin is another, with the agent started and the reason kept", () => {
    const mac = aMac();
    mac.machine.write(BESIDE, fileOf(acme));
    mac.machine.write(PIN, pinOf(other.id));
    expect(mac.install("0.1.0").code).toBe(1);
    expect(mac.calls()).toContain(BOOTSTRAP);
    expect([mac.owner(), mac.machine.has(PIN)]).toEqual([undefined, true]);
    expect(mac.machine.read(LOG)).toMatch(/package-trust[^]*not bound by the deployment that was given/);
  });

  it("fails where a pin waits and no deployment is there", () => {
    const mac = aMac();
    mac.machine.write(PIN, pinOf(acme.id));
    const { code, stderr } = mac.install("0.1.0");
    expect([code, stderr]).toEqual([1, expect.stringContaining(`file-unreadable: ${BESIDE}`)]);
  });

  it.each([WAITING, PIN, "/etc/keybound"])("uses nothing where %s is somebody else's", (path) => {
    const mac = withWaiting(acme);
    chownSync(mac.machine.path(path), 1000, 1000);
    const { code, stderr } = mac.install("0.1.0");
    expect([code, stderr]).toEqual([1, expect.stringContaining("is not root's alone to write; not used")]);
    expect([mac.owner(), mac.machine.has(WAITING)]).toEqual([undefined, true]);
  });

  it("starts nothing where somebody else could put another program in its place", () => {
    const mac = aMac();
    mac.run("mkdir -p /usr/local/libexec && chmod 777 /usr/local/libexec");
    const { code, stderr } = mac.install("0.1.0");
    // cp, unlike Installer, leaves the folder as it is.
    expect([code, stderr]).toEqual([1, expect.stringContaining("others than root can write to /usr/local")]);
    expect(mac.calls()).toEqual([]);
  });

  it("makes no link where somebody else could lead it elsewhere", () => {
    const mac = aMac();
    mac.run(
      "mkdir /etc/sudoers.d && rmdir /usr/local/bin && ln -s /etc/sudoers.d /usr/local/bin && chown 1000 /usr/local",
    );
    expect(mac.install("0.1.0").code).toBe(1);
    expect(mac.run("ls /etc/sudoers.d").stdout).toBe("");
  });

  it("leaves a command of somebody else's alone, and the folder that it is in", () => {
    const mac = aMac();
    mac.machine.write("/usr/local/bin/keybound-agent", "mine\n", 0o755);
    chownSync(mac.machine.path("/usr/local/bin"), 1000, 1000);
    expect(mac.install("0.1.0").code).toBe(0);
    expect(mac.machine.read("/usr/local/bin/keybound-agent")).toBe("mine\n");
    expect(mac.run("stat -c %u /usr/local/bin").stdout).toBe("1000\n");
  });

  it("on another volume leaves what waits to the service's first start there", () => {
    const mac = aMac();
    mac.machine.write(`/Volumes/Other${WAITING}`, fileOf(acme));
    expect(mac.install("0.1.0", "/Volumes/Other").code).toBe(0);
    expect([mac.calls(), mac.machine.has(`/Volumes/Other${WAITING}`)]).toEqual([[], true]);
    expect(mac.machine.has(`/Volumes/Other${PLIST}`)).toBe(true);
  });

  it("of the package for another processor is refused, and nothing is changed", () => {
    const mac = aMac();
    mac.machine.write("/usr/sbin/sysctl", '#!/bin/sh\n[ "$*" = "-n hw.optional.arm64" ] && echo 1\n', 0o755);
    const { code, stderr } = mac.install("0.1.0");
    expect([code, stderr]).toEqual([1, expect.stringContaining("this package is for x86_64, this Mac is arm64")]);
    expect([mac.machine.has(PROGRAM), mac.calls()]).toEqual([false, []]);
  });
});

describe("over an installed one", () => {
  it("a newer version restarts the service, of the same device", () => {
    const mac = installed();
    const device = deviceOf(mac);
    expect(mac.install("0.1.1").code).toBe(0);
    expect(deviceOf(mac)).toBe(device);
    expect(mac.calls().at(-1)).toBe(BOOTSTRAP);
  });

  it("waits until launchd has let go of the former one", () => {
    const mac = installed();
    mac.machine.write("/root/lingering", "1\n2\n3\n");
    expect(mac.install("0.1.1").code).toBe(0);
    const calls = mac.calls();
    expect(calls.filter((call) => call.startsWith("launchctl print system/"))).toHaveLength(4);
    expect(calls.at(-1)).toBe(BOOTSTRAP);
  });

  it.each(["true", "disabled"])("leaves the service off where launchd says %s", (word) => {
    const mac = installed();
    mac.machine.write("/root/disabled", `disabled services = {\n\t"io.keybound.agent" => ${word}\n}\n`);
    expect(mac.install("0.1.1").code).toBe(0);
    expect(mac.calls()).not.toContain(BOOTSTRAP);
  });

  it("the same version repairs what is gone", () => {
    const mac = installed();
    mac.run(`rm ${PROGRAM}/keybound-agent-inventory.cjs ${PLIST} /usr/local/bin/keybound-agent`);
    expect(mac.install("0.1.0").code).toBe(0);
    const paths = [`${PROGRAM}/keybound-agent-inventory.cjs`, PLIST];
    expect([paths.filter((path) => !mac.machine.has(path)), mac.owner()]).toEqual([[], "Acme"]);
  });

  it("another organisation's deployment is refused, and taken with root's word for it, once", () => {
    const mac = installed();
    lay(mac, other);
    expect([mac.install("0.1.1").code, mac.owner()]).toEqual([1, "Acme"]);
    mac.machine.write(REBIND, "");
    expect([mac.install("0.1.1").code, mac.owner(), mac.machine.has(REBIND)]).toEqual([0, "Other", false]);
  });

  it("an older version is refused before anything is changed", () => {
    const mac = installed();
    mac.install("0.1.1");
    mac.calls();
    const { code, stderr } = mac.install("0.1.0");
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("0.1.1 is installed, this is 0.1.0; nothing was changed"),
    ]);
    expect([mac.machine.read(`${PROGRAM}/version`), mac.calls()]).toEqual(["0.1.1\n", []]);
  });

  it("an older version is taken with root's word for it, once, and ends what updates had brought", () => {
    const mac = installed();
    mac.install("0.1.1");
    mac.machine.write("/etc/keybound/downgrade", "");
    mac.machine.write(`${PROGRAM}/versions/current`, "0.1.2\n");
    expect(mac.install("0.1.0").code).toBe(0);
    expect(mac.machine.read(`${PROGRAM}/version`)).toBe("0.1.0\n");
    expect(["/etc/keybound/downgrade", `${PROGRAM}/versions`].filter((path) => mac.machine.has(path))).toEqual([]);
  });

  it("nobody else's word counts for that", () => {
    const mac = installed();
    mac.install("0.1.1");
    mac.machine.write("/etc/keybound/downgrade", "");
    chownSync(mac.machine.path("/etc/keybound/downgrade"), 1000, 1000);
    expect(mac.install("0.1.0").code).toBe(1);
  });
});

describe("the service", () => {
  it("takes a deployment that was laid into an image after the installation, serves, and stops in order", () => {
    const mac = aMac();
    mac.install("0.1.0");
    lay(mac, acme);
    expect(mac.owner()).toBeUndefined();
    expect(serve(mac, '"msg":"serving the owner"')).toBe("0\n");
    expect(mac.owner()).toBe("Acme");
    const log = mac.machine.read("/var/log/keybound-agent.log");
    expect(log.trim().split("\n").at(-1)).toContain('"msg":"stopped"');
    expect(mac.run("/usr/local/bin/keybound-agent journal --json --last 1").stdout).toContain("stopped");
  });

  it("serves though what waits is refused", () => {
    const mac = aMac();
    mac.install("0.1.0");
    mac.machine.write(WAITING, "no deployment");
    expect(serve(mac, "waiting to be bound")).toBe("0\n");
    expect(mac.machine.read("/var/log/keybound-agent.log")).toContain("package-form");
  });
});

describe("the command", () => {
  it("forgets what Node would take orders from, and the user's own search path", () => {
    const mac = aMac();
    mac.install("0.1.0");
    mac.machine.write("/root/bin/head", "#!/bin/sh\ntouch /root/stolen\n", 0o755);
    const PATH = "/root/bin:/usr/bin:/bin";
    const asking = mac.run("/usr/local/bin/keybound-agent bind /nowhere", { PATH, NODE_OPTIONS: "--no-such-option" });
    expect(asking.stderr).toContain("file-unreadable");
    expect(mac.machine.has("/root/stolen")).toBe(false);
    // Which is what happens otherwise.
    mac.run(`${PROGRAM}/node ${PROGRAM}/keybound-agent.cjs bind /nowhere`, { PATH });
    expect(mac.machine.has("/root/stolen")).toBe(true);
  });
});

describe("uninstall", () => {
  it("ends the service, forgets the package, and leaves the journal and the logs", () => {
    const mac = removable();
    const { code, stdout } = mac.run(UNINSTALL);
    expect([code, stdout.trim().split("\n").at(-1)]).toEqual([0, "keybound-agent: removed"]);
    const calls = mac.calls();
    expect(calls[0]).toBe(`launchctl bootout ${LABEL}`);
    expect(calls).toContain("pkgutil --forget io.keybound.agent");
    expect(left(mac, PROGRAM, PLIST, "/usr/local/bin/keybound-agent", "/etc/keybound")).toEqual([]);
    const kept = ["/var/db/keybound/state.db", LOG, "/var/log/keybound-agent.log.1"];
    expect(left(mac, ...kept)).toEqual(kept);
  });

  it("with --purge leaves nothing", () => {
    const mac = removable();
    expect(mac.run(`${UNINSTALL} --purge`).code).toBe(0);
    expect(mac.run("find / -xdev -name '*keybound*' -not -path '/srv/*' -not -path '/var/lib/keybound*'").stdout).toBe(
      "",
    );
  });

  it("can be followed by an installation", () => {
    const mac = removable();
    mac.run(UNINSTALL);
    mac.calls();
    expect([mac.install("0.1.0").code, mac.calls().at(-1)]).toEqual([0, BOOTSTRAP]);
  });

  it("removes nothing where the agent does not end, or for others than root, or when misunderstood", () => {
    const mac = removable();
    expect(mac.run(`setpriv --reuid 1000 --clear-groups ${UNINSTALL}`).code).toBe(1);
    expect(mac.run(`${UNINSTALL} --all`).code).toBe(2);
    expect(mac.calls()).toEqual([]);
    mac.machine.write("/root/lingering", "x\n".repeat(1000));
    mac.machine.write("/usr/bin/sleep", "#!/bin/sh\n", 0o755);
    expect(mac.run(UNINSTALL).code).toBe(1);
    expect(left(mac, PROGRAM, PLIST)).toEqual([PROGRAM, PLIST]);
  });
});
