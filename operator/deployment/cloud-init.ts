// User data for cloud-init: lays the deployment and the pin down at first boot, and has the agent take them.
import { base64Lines, DEPLOYMENT, type Facts } from "./way.ts";

const ARCHITECTURES = {
  "linux-deb": { ask: "dpkg --print-architecture", x64: "amd64", arm64: "arm64" },
  "linux-rpm": { ask: "uname -m", x64: "x86_64", arm64: "aarch64" },
} as const;

/** A #cloud-config. With `from` it fetches the installer and compares its SHA-256; without, the image has the agent. */
export function cloudInit(system: keyof typeof ARCHITECTURES, facts: Facts): string {
  return `#cloud-config
# Keybound agent ${facts.version}, pin ${facts.pin}. Has the enrolment token in it: whoever reads it can join as a device.
write_files:
  - path: /etc/keybound/${DEPLOYMENT}
    owner: root:root
    permissions: "0600"
    encoding: b64
    content: |
${base64Lines(facts.deployment)
  .map((line) => `      ${line}\n`)
  .join("")}  - path: /etc/keybound/trust
    owner: root:root
    permissions: "0600"
    content: |
      ${facts.pin}
runcmd:
  - - sh
    - -c
    - |
${commands(system, facts)
  .map((line) => `      ${line}\n`)
  .join("")}`;
}

function commands(system: keyof typeof ARCHITECTURES, { from, pin, installers }: Facts): readonly string[] {
  const bound = `keybound-agent status | grep -q '^Owner.*${pin}'`;
  const begin = ["set -eu", "chmod 0700 /etc/keybound"];
  if (from === undefined) return [...begin, "systemctl restart keybound-agent", bound];
  const { ask, ...names } = ARCHITECTURES[system];
  const cases = installers
    .filter((installer) => installer.system === system)
    .map(({ processor, name, sha256 }) => `  ${names[processor]}) file=${name} sum=${sha256} ;;`);
  return [
    ...begin,
    'folder=$(mktemp -d) && cd "$folder"',
    `case $(${ask}) in`,
    ...cases,
    '  *) echo "no Keybound agent for this processor" >&2; exit 1 ;;',
    "esac",
    `curl -fsSL -o "$file" "${from}/$file" || wget -qO "$file" "${from}/$file"`,
    'echo "$sum  $file" | sha256sum -c -',
    ...(system === "linux-deb"
      ? ['dpkg -i "./$file" || { apt-get -q update && apt-get -q -y -f install; }']
      : ['rpm -U --replacepkgs "./$file" || dnf -y install "./$file"']),
    'cd / && rm -rf "$folder"',
    bound,
  ];
}
