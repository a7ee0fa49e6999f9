// How the macOS packages are brought to devices: by hand, by Jamf, Intune and Munki, which run a script before the package.
import { base64Lines, DEPLOYMENT, type Facts, type ReadyFile, type Way } from "./way.ts";

const SCRIPT = "macos-before.sh";

export function macosWays(facts: Facts): readonly Way[] {
  const installers = facts.installers.filter(({ system }) => system === "macos");
  const names = installers.map(({ name }) => name).join(", ");
  const system = "macos";
  return [
    ...installers.map(({ processor, name }) => byHand(processor, name)),
    {
      system,
      tool: "jamf",
      where: "Settings, Scripts: add the file; then one policy for each package, scoped by processor",
      shell: "form",
      file: SCRIPT,
      lines: [`packages: ${names}`, `script: ${SCRIPT}, priority: Before`],
    },
    {
      system,
      tool: "intune",
      where: "one macOS app (PKG) for each package",
      shell: "form",
      file: SCRIPT,
      lines: [`app package file: ${names}`, `pre-install script: the text of ${SCRIPT}`],
    },
    ...installers.map(({ processor, name }) => byMunki(processor, name)),
  ];
}

export function macosFiles(facts: Facts): readonly ReadyFile[] {
  return [{ name: SCRIPT, text: script(facts), executable: true }];
}

function byHand(processor: "x64" | "arm64", name: string): Way {
  return {
    system: "macos",
    tool: "installer",
    processor,
    where: "on the device, as root, in a copy of this folder",
    shell: "sh",
    lines: [`./${SCRIPT} && installer -pkg ./${name} -target /`],
  };
}

function byMunki(processor: "x64" | "arm64", name: string): Way {
  const lines = [`makepkginfo --preinstall_script=./${SCRIPT} ./${name}`];
  const architecture = processor === "x64" ? "x86_64" : "arm64";
  const where = `in this folder, with Munki's tools; then set supported_architectures to ${architecture}`;
  return { system: "macos", tool: "munki", processor, where, shell: "sh", file: SCRIPT, lines };
}

function script({ version, pin, rebind, deployment }: Facts): string {
  return `#!/bin/sh
# Keybound agent ${version}, pin ${pin}. Lays down what the package's installation takes, for root alone. Has the enrolment token in
# it: whoever reads this can join as a device.
set -eu
umask 077
mkdir -p /etc/keybound
chown 0:0 /etc/keybound
chmod 0700 /etc/keybound
openssl base64 -d > /etc/keybound/${DEPLOYMENT} <<'END'
${base64Lines(deployment).join("\n")}
END
printf '%s\\n' ${pin} > /etc/keybound/trust
${rebind ? "# Takes the device away from another owner.\n: > /etc/keybound/rebind\n" : ""}chmod 0600 /etc/keybound/${DEPLOYMENT} /etc/keybound/trust
`;
}
