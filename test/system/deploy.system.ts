// A tenant's deployment folder on machines with a real systemd: each line is carried out as it stands in INSTALL.txt, each ready file by
// the tool that it is for, and the device is then in the operator's list.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Way } from "../../operator/deployment/way.ts";
import { makeLinuxPackages } from "../../scripts/package/linux.ts";
import { expectDone, OperatorHouse } from "../operator/house.ts";
import { releaseIn, writeSums } from "../operator/release.ts";
import { Machine } from "./machine.ts";
import { ADMIN_TOOLS } from "./root.ts";
import { installTools } from "./tools.ts";

const VERSION = "0.1.0";
const PROCESSOR = process.arch === "arm64" ? "arm64" : "x64";
let house: OperatorHouse;
let release: string;
let pin: string;
let ways: readonly Way[];
let count = 0;

/** The folder is what the machines see as /srv/shared; cloud-init fetches from it over the loopback. */
beforeAll(async () => {
  installTools();
  house = await OperatorHouse.open();
  expectDone(await house.init());
  release = releaseIn(house.path("release"), VERSION);
  const made = house.path("made");
  mkdirSync(made);
  await makeLinuxPackages({ processor: PROCESSOR, version: VERSION, epochS: 1_790_000_000, folder: made });
  for (const { name } of real()) copyFileSync(join(made, name), join(release, name));
  writeSums(release);
  const server = createServer((request, response) => {
    response.end(readFileSync(join(release, (request.url ?? "").split("/").at(-1) ?? "")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closeServer = () => void server.close();
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const from = `http://127.0.0.1:${address.port}/kb`;
  const args = ["package", "--for", "all", "--out", house.path("acme"), "--release", release, "--from", from, "--json"];
  ({ pin, ways } = JSON.parse(expectDone(await house.unlocked(args)).stdout));
});

let closeServer = (): void => undefined;

afterAll(async () => {
  closeServer();
  await house[Symbol.asyncDispose]();
});

function real(): readonly { readonly name: string }[] {
  const [deb, rpm] = PROCESSOR === "x64" ? ["amd64", "x86_64"] : ["arm64", "aarch64"];
  return [{ name: `keybound-agent_${VERSION}_${deb}.deb` }, { name: `keybound-agent-${VERSION}-1.${rpm}.rpm` }];
}

/** The lines for a tool, as they stand in INSTALL.txt. */
function pasted(system: string, tool: string): string {
  const way = ways.find(
    (one) => one.system === system && one.tool === tool && (one.processor ?? PROCESSOR) === PROCESSOR,
  );
  const lines = (way?.lines ?? []).map((line) => `    ${line}\n`).join("");
  expect(lines).not.toBe("");
  expect(readFileSync(house.path("acme/INSTALL.txt"), "utf8")).toContain(lines);
  return way?.lines.join("\n") ?? "";
}

/** A machine called by a name of its own, which has the folder as /root/acme. */
async function machine(more?: string): Promise<Machine & { readonly host: string }> {
  const made = new Machine(house.path("acme"), { more });
  onTestFinished(() => made[Symbol.asyncDispose]());
  const host = `deploy${count++}`;
  made.write("/etc/hostname", `${host}\n`, 0o644);
  return Object.assign(made, { host });
}

async function booted(more?: string) {
  const made = await machine(more);
  await made.start();
  return made;
}

const IN_FOLDER = "cp -r /srv/shared /root/acme && cd /root/acme && ";

/** Waits until `keybound devices` has a device of this host. */
async function isListed({ host }: { readonly host: string }): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const listed = expectDone(await house.run(["devices", "--json"])).stdout;
    const rows: readonly { readonly host?: string; readonly online?: boolean }[] = JSON.parse(listed);
    if (rows.some((row) => row.host === host && row.online === true)) return;
    if (performance.now() > deadline) throw new Error(`no ${host} in ${listed}`);
  }
}

const ownerOn = (on: Machine) => on.does("keybound-agent status");
const owned = () => expect.stringMatching(new RegExp(`^Owner .*pin ${pin}$`, "m"));

describe("a line of INSTALL.txt", () => {
  it("for dpkg installs and binds, and run again changes nothing", async () => {
    const on = await booted();
    on.does(IN_FOLDER + pasted("linux-deb", "dpkg"));
    await isListed(on);
    const { device } = JSON.parse(on.does("keybound-agent status --json"));
    on.does(`cd /root/acme && ${pasted("linux-deb", "dpkg")}`);
    expect(JSON.parse(on.does("keybound-agent status --json")).device).toBe(device);
  });

  it("for rpm installs and binds, and run again changes nothing", async () => {
    const on = await booted();
    // A Debian, whose libraries no rpm database knows.
    on.does("rpm --initdb");
    on.write("/usr/local/bin/rpm", '#!/bin/sh\nexec /usr/bin/rpm "$@" --force-debian --nodeps\n', 0o755);
    on.does(IN_FOLDER + pasted("linux-rpm", "rpm"));
    await isListed(on);
    on.does(`cd /root/acme && ${pasted("linux-rpm", "rpm")}`);
    expect(ownerOn(on)).toEqual(owned());
  });

  it("for ssh carries the files over, binds, and leaves none of them", async () => {
    const on = await booted();
    // What sshd does with the words: the user's shell, in the user's home.
    on.write("/usr/local/bin/ssh", '#!/bin/sh\ncd /root && exec sh -c "$2"\n', 0o755);
    on.does(IN_FOLDER + pasted("linux-deb", "ssh").replace("web1 web2", "web1"));
    expect(ownerOn(on)).toEqual(owned());
    expect(on.does("find /tmp -name '*.keybound'")).toBe("");
  });

  it("for a golden image binds each machine that starts from it, and not the image", async () => {
    const on = await machine();
    expect(on.runInImage(IN_FOLDER + pasted("linux-deb", "golden-image"))).toMatchObject({ code: 0 });
    expect(on.has("/var/lib/keybound")).toBe(false);
    await on.start();
    await isListed(on);
    expect(on.does("ls -A /etc/keybound")).toBe("");
  });
});

describe("a ready file", () => {
  it("for Ansible is well formed, installs and binds, and changes nothing the second time", async () => {
    const on = await booted(ADMIN_TOOLS);
    on.write("/root/acme.ini", "localhost ansible_connection=local\n");
    const play = pasted("linux-deb", "ansible").replace("inventory.ini", "/root/acme.ini");
    on.does(`${IN_FOLDER}${play} --syntax-check`, { LC_ALL: "C.UTF-8" });
    expect(on.does(`cd /root/acme && ${play} --check`, { LC_ALL: "C.UTF-8" })).toMatch(/changed=[1-9]\d* .*failed=0/);
    expect(on.does("ls /root/*.deb /root/*.keybound /usr/bin/keybound-agent 2>/dev/null || true")).toBe("");
    on.does(`cd /root/acme && ${play}`, { LC_ALL: "C.UTF-8" });
    await isListed(on);
    expect(on.does(`cd /root/acme && ${play}`, { LC_ALL: "C.UTF-8" })).toMatch(/changed=0 .*failed=0/);
    expect(on.does("find /tmp /root/.ansible -name '*.keybound'")).toBe("");
  });

  it("for cloud-init is what its schema says, and fetches, compares, installs and binds at first boot", async () => {
    const on = await machine(ADMIN_TOOLS);
    const seed = "/var/lib/cloud/seed/nocloud";
    on.write(`${seed}/user-data`, readFileSync(house.path("acme/cloud-init-deb.yaml")));
    on.write(`${seed}/meta-data`, `instance-id: ${on.host}\nlocal-hostname: ${on.host}\n`);
    // The modules that the file is for; the host's network is none of the container's business.
    const modules =
      "cloud_init_modules: [write-files]\ncloud_config_modules: [runcmd]\ncloud_final_modules: [scripts-user]\n";
    on.write(
      "/etc/cloud/cloud.cfg.d/99-test.cfg",
      `datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\n${modules}`,
      0o644,
    );
    await on.start();
    await on.comesTrue("cloud-init status | grep -q -e done -e error -e disabled");
    expect(on.does("cloud-init schema --config-file /srv/shared/cloud-init-deb.yaml")).toContain("Valid");
    expect([on.run("cloud-init status").stdout, on.read("/var/log/cloud-init-output.log")]).toEqual([
      "status: done\n",
      expect.stringContaining(": OK"),
    ]);
    await isListed(on);
    expect(on.does("ls -A /etc/keybound")).toBe("");
  });

  it("for macOS lays down what an installation takes", async () => {
    const on = await booted();
    on.does(`${IN_FOLDER}./macos-before.sh && dpkg -i ./${real()[0]?.name}`);
    expect(ownerOn(on)).toEqual(owned());
  });
});
