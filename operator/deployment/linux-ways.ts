// How the Linux packages are installed and bound: by hand, over ssh, by Ansible, by cloud-init, in an image.
import { ansiblePlaybook } from "./ansible.ts";
import { cloudInit } from "./cloud-init.ts";
import { DEPLOYMENT, type Facts, type ReadyFile, type Way } from "./way.ts";

export type LinuxSystem = "linux-deb" | "linux-rpm";
type Installer = Facts["installers"][number];

export const ANSIBLE_FILE = "ansible.yml";
const CLOUD_FILES = { "linux-deb": "cloud-init-deb.yaml", "linux-rpm": "cloud-init-rpm.yaml" } as const;

/** The ways for one kind of package; those that differ by processor once for each. */
export function linuxWays(system: LinuxSystem, facts: Facts): readonly Way[] {
  const installers = facts.installers.filter((installer) => installer.system === system);
  return [
    ...installers.map((installer) => byHand(system, installer, facts)),
    ...installers.map((installer) => bySsh(system, installer, facts)),
    {
      system,
      tool: "ansible",
      where: "on the machine that has Ansible, in this folder; inventory.ini is yours",
      shell: "sh",
      file: ANSIBLE_FILE,
      lines: [`ansible-playbook -i inventory.ini ${ANSIBLE_FILE}`],
    },
    cloudWay(system, facts),
    ...installers.map((installer) => inImage(system, installer, facts)),
  ];
}

export function linuxFiles(systems: readonly LinuxSystem[], facts: Facts): readonly ReadyFile[] {
  if (systems.length === 0) return [];
  const clouds = systems.map((system) => ({
    name: CLOUD_FILES[system],
    text: cloudInit(system, facts),
    executable: false,
  }));
  return [{ name: ANSIBLE_FILE, text: ansiblePlaybook(facts), executable: false }, ...clouds];
}

/** Binds by an installed package; the same line on a device that has it binds again. */
function installLine(system: LinuxSystem, name: string, { pin, rebind }: Facts): string {
  const settings = `KEYBOUND_DEPLOYMENT="$PWD/${DEPLOYMENT}" KEYBOUND_TRUST=${pin}${rebind ? " KEYBOUND_REBIND=yes" : ""}`;
  if (system === "linux-deb") return `${settings} dpkg -i ./${name}`;
  // rpm exits with 0 when the binding was refused; the second half does not.
  return `${settings} rpm -U --replacepkgs ./${name} && keybound-agent status | grep -q '^Owner.*${pin}'`;
}

function byHand(system: LinuxSystem, { processor, name }: Installer, facts: Facts): Way {
  const tool = system === "linux-deb" ? "dpkg" : "rpm";
  return {
    system,
    tool,
    processor,
    where: "on the device, as root, in a copy of this folder",
    shell: "sh",
    lines: [installLine(system, name, facts)],
  };
}

function bySsh(system: LinuxSystem, { processor, name }: Installer, facts: Facts): Way {
  const there = `d=$(mktemp -d) && tar -xf - -C "$d" && (cd "$d" && ${installLine(system, name, facts)}); code=$?; rm -rf "$d"; exit $code`;
  const lines = [
    "for host in web1 web2; do",
    `  tar -cf - ${name} ${DEPLOYMENT} | ssh "root@$host" ${quoted(there)} || echo "$host: failed" >&2`,
    "done",
  ];
  return {
    system,
    tool: "ssh",
    processor,
    where: "on your machine, in this folder; the hosts are yours",
    shell: "sh",
    lines,
  };
}

function cloudWay(system: LinuxSystem, { from }: Facts): Way {
  const file = CLOUD_FILES[system];
  const where =
    from === undefined
      ? "as user data of a new machine whose image has the agent installed, unbound"
      : `as user data of a new machine; it fetches the installer from ${from}`;
  return { system, tool: "cloud-init", where, shell: "form", file, lines: [`user data: the whole file ${file}`] };
}

function inImage(system: LinuxSystem, { processor, name }: Installer, { pin }: Facts): Way {
  const install = system === "linux-deb" ? `dpkg -i ./${name}` : `rpm -U --replacepkgs ./${name}`;
  const lines = [
    install,
    "install -d -m 0700 /etc/keybound",
    `install -m 0600 ./${DEPLOYMENT} /etc/keybound/${DEPLOYMENT}`,
    `printf '%s\\n' ${pin} > /etc/keybound/trust`,
  ];
  const where = "in a golden image, as root, in this folder, as the last step before the image is taken";
  return { system, tool: "golden-image", processor, where, shell: "sh", lines };
}

function quoted(line: string): string {
  return `'${line.replaceAll("'", `'\\''`)}'`;
}
