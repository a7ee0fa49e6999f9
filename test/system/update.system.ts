// Versions that an update brings, good ones and bad ones, on machines with a real systemd and the real .deb: whatever they do, the
// device serves its owner afterwards.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Desk, Estate } from "../e2e/estate.ts";
import { bundleVariant, VARIANTS, type Variant } from "./agent-variant.ts";
import { deploymentOn, dpkg, makePackages, NEXT_VERSION, NOW_VERSION, type Packages } from "./installed.ts";
import { Machine } from "./machine.ts";

const PROGRAM = "/usr/libexec/keybound-agent";
const TRIED = "0.2.0";
let estate: Estate;
let packages: Packages;
let count = 0;

const folderOf = (variant: string) => variant.replaceAll(/\W+/g, "-");

beforeAll(async () => {
  packages = await makePackages();
  for (const [variant, changes] of Object.entries(VARIANTS))
    await bundleVariant(changes, join(packages.folder, folderOf(variant)));
  estate = await Estate.open();
});

afterAll(async () => {
  await estate[Symbol.asyncDispose]();
  packages[Symbol.dispose]();
});

/** A device in service, whose waits are a test's: for a version that hangs, and between two starts of the service. */
async function device() {
  const machine = await Machine.boot(packages.folder);
  onTestFinished(() => machine[Symbol.asyncDispose]());
  const tenant = await estate.found(`updated${count++}`);
  machine.does(dpkg(NOW_VERSION), deploymentOn(machine, { estate, tenant }));
  machine.does(`sed -i 's/^trial_s=.*/trial_s=5/' ${PROGRAM}/start`);
  machine.does("sed -i 's/^RestartSec=.*/RestartSec=1/' /usr/lib/systemd/system/keybound-agent.service");
  machine.does("systemctl daemon-reload");
  const desk = await Desk.open(estate, tenant);
  onTestFinished(() => desk[Symbol.asyncDispose]());
  const id = await desk.device();
  const owner = JSON.parse(machine.does("keybound-agent status --json"));
  const runs = async () => (await desk.receipt(id, await desk.send(id, "true"))).outcome;
  return { machine, owner, runs };
}

/** Lays a version down as an update does, on trial. */
function bring(machine: Machine, variant: Variant): void {
  const folder = `${PROGRAM}/versions/${TRIED}`;
  machine.does(
    `mkdir -p ${folder} && cp -l ${PROGRAM}/node ${folder}/ && cp /srv/shared/${folderOf(variant)}/*.cjs ${folder}/`,
  );
  machine.does(`echo '${TRIED} 0' > ${PROGRAM}/versions/trial`);
}

const restart = (machine: Machine) => machine.does("systemctl --no-block restart keybound-agent");
const decided = (machine: Machine) => machine.comesTrue(`test ! -e ${PROGRAM}/versions/trial`);
const versionOn = (machine: Machine) => machine.does("keybound-agent --version");
const ranBy = (machine: Machine) =>
  machine.does("readlink /proc/$(systemctl show --value -p MainPID keybound-agent)/exe");
const ownerOn = (machine: Machine) => JSON.parse(machine.does("keybound-agent status --json"));

async function isAsBefore({ machine, owner, runs }: Awaited<ReturnType<typeof device>>): Promise<void> {
  expect(await runs()).toEqual({ type: "exited", code: 0 });
  const now = ownerOn(machine);
  expect([now.device, now.pin, now.since]).toEqual([owner.device, owner.pin, owner.since]);
  machine.does("keybound-agent journal --verify");
  expect(machine.does("ls /var/lib/keybound | grep -e before -e returning || true")).toBe("");
}

describe("a good version", () => {
  it.each(["good", "good, with more tables"] satisfies Variant[])(
    "%s: proves itself and takes over",
    async (variant) => {
      const one = await device();
      const { machine } = one;
      bring(machine, variant);
      restart(machine);
      await decided(machine);
      await isAsBefore(one);
      expect([versionOn(machine), ranBy(machine)]).toEqual([
        `keybound-agent ${TRIED}`,
        `${PROGRAM}/versions/${TRIED}/node`,
      ]);
      // Not with more tables: nothing before it could read them.
      expect(machine.run(`cat ${PROGRAM}/versions/back`).stdout).toBe(variant === "good" ? `${NOW_VERSION}\n` : "");
      await machine.restart("orderly");
      await isAsBefore(one);
      expect(versionOn(machine)).toBe(`keybound-agent ${TRIED}`);
    },
  );

  it("outlives an upgrade of the package to an older one, and goes with the package", async () => {
    const one = await device();
    const { machine } = one;
    bring(machine, "good");
    restart(machine);
    await decided(machine);
    machine.does(dpkg(NEXT_VERSION));
    await isAsBefore(one);
    expect(versionOn(machine)).toBe(`keybound-agent ${TRIED}`);
    machine.does("dpkg -r keybound-agent");
    expect(machine.has(PROGRAM)).toBe(false);
  });

  it("that is damaged later gives way to the packaged one", async () => {
    const one = await device();
    const { machine } = one;
    bring(machine, "good");
    restart(machine);
    await decided(machine);
    await isAsBefore(one);
    machine.does(`truncate -s 1000 ${PROGRAM}/versions/${TRIED}/keybound-agent.cjs`);
    machine.does("systemctl restart keybound-agent");
    await isAsBefore(one);
    expect(ranBy(machine)).toBe(`${PROGRAM}/node`);
  });
});

/** Systemd waits this long for the service to be ready: less than one try takes. */
function hurry(machine: Machine): void {
  machine.write("/etc/systemd/system/keybound-agent.service.d/hurry.conf", "[Service]\nTimeoutStartSec=4\n", 0o644);
  machine.does("systemctl daemon-reload");
}

/** In the middle of its trial. */
async function hangsWithTheTablesChanged(machine: Machine): Promise<void> {
  machine.does(`sed -i 's/^trial_s=.*/trial_s=20/' ${PROGRAM}/start`);
  bring(machine, "crashes after it has changed the tables");
  const bundle = `${PROGRAM}/versions/${TRIED}/keybound-agent.cjs`;
  machine.does(`sed -i 's/process.kill(process.pid,9)/process.kill(process.pid,"SIGSTOP")/' ${bundle}`);
  restart(machine);
  await machine.comesTrue(`ls /var/lib/keybound/state.db.before-${TRIED}`);
}

describe("a version that", () => {
  it("hangs is ended by the starter, for which systemd waits however little time a start has", async () => {
    const one = await device();
    const { machine } = one;
    hurry(machine);
    bring(machine, "spins for ever");
    restart(machine);
    await decided(machine);
    await isAsBefore(one);
    const ended = "journalctl -u keybound-agent | grep -c -e 'ended after its time' -e 'ended with code 137'";
    expect([machine.does(ended), machine.does("systemctl show --value -p NRestarts keybound-agent")]).toEqual([
      "6",
      "0",
    ]);
  });

  it.each([
    "exits at once",
    "cannot open the state",
    "never connects",
    "crashes after it has changed the tables",
  ] satisfies Variant[])("%s is given up, and the device serves as before", async (variant) => {
    const one = await device();
    const { machine } = one;
    bring(machine, variant);
    restart(machine);
    await decided(machine);
    await isAsBefore(one);
    expect([machine.read(`${PROGRAM}/versions/failed`), versionOn(machine)]).toEqual([
      `${TRIED} 3\n`,
      `keybound-agent ${NOW_VERSION}`,
    ]);
    expect(machine.does("keybound-agent journal")).toContain(`version-failed  job by hand  version ${TRIED}`);
    expect(machine.run("keybound-agent doctor").stdout).toContain(`${TRIED} failed after 3 tries`);
  });

  it.each(["never serves", "ends before it serves, with more tables"] satisfies Variant[])(
    "proves itself and %s gives way to the one before",
    async (variant) => {
      const one = await device();
      bring(one.machine, variant);
      restart(one.machine);
      await one.machine.comesTrue(`test -e ${PROGRAM}/versions/failed`);
      await isAsBefore(one);
      expect(ranBy(one.machine)).toBe(`${PROGRAM}/node`);
    },
  );

  it("is on trial, with the tables changed, while the package is removed: the owner is told and the keys go", async () => {
    const { machine } = await device();
    await hangsWithTheTablesChanged(machine);
    expect(machine.does("dpkg -r keybound-agent")).toContain("the owner's relay was told");
    expect(machine.does("pgrep -f 'keybound-agent[.]cjs' || true")).toBe("");
    expect(machine.does("ls /var/lib/keybound")).toBe("lock.db\nstate.db");
    machine.does(dpkg(NOW_VERSION));
    expect(machine.does("keybound-agent journal --verify")).toMatch(/^the chain holds from entry 1 /);
    expect(ownerOn(machine)).toMatchObject({ bound: false });
  });

  it.each(["kill -9", "the machine's death"])(
    "is cut off by %s in the middle of its trial is counted, and given up",
    async (how) => {
      const one = await device();
      const { machine } = one;
      await hangsWithTheTablesChanged(machine);
      machine.does(`sed -i 's/^trial_s=.*/trial_s=2/' ${PROGRAM}/start`);
      if (how === "kill -9") machine.does("kill -9 $(systemctl show --value -p MainPID keybound-agent)");
      else await machine.restart("kill");
      await decided(machine);
      await isAsBefore(one);
      expect(versionOn(machine)).toBe(`keybound-agent ${NOW_VERSION}`);
    },
  );
});
