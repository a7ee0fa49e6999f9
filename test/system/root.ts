// The Debian from which each machine of these tests starts: made once with debootstrap, kept, and never written to again.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installTools } from "./tools.ts";

const CACHE = "/var/cache/keybound-test";
const SUITE = "bookworm";
/** What the packages ask for, what a test looks with, and rpm for the .rpm. */
const PACKAGES = "systemd,systemd-sysv,dbus,iproute2,procps,util-linux,ca-certificates,libatomic1,libstdc++6,rpm";

/** What an admin's tools need on a machine: Ansible at both its ends, and cloud-init, which fetches by wget. */
export const ADMIN_TOOLS = "ansible-core cloud-init python3-apt wget";

/** The folder of the root file system, with these packages more. Takes half a minute or two where it has to be made. Needs root and a Debian mirror. */
export function debianRoot(more?: string): string {
  installTools();
  return more === undefined ? plainRoot() : rootWith(more);
}

function rootWith(more: string): string {
  const plain = plainRoot();
  const root = `${plain}-${createHash("sha256").update(more).digest("hex").slice(0, 12)}`;
  if (existsSync(root)) return root;
  const part = `${root}.${process.pid}`;
  execFileSync("cp", ["-a", plain, part]);
  const install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", ...more.split(" ")];
  execFileSync("chroot", [part, "env", "DEBIAN_FRONTEND=noninteractive", ...install], { stdio: "ignore" });
  renameSync(part, root);
  return root;
}

function plainRoot(): string {
  const key = createHash("sha256").update(`${SUITE} ${PACKAGES}`).digest("hex").slice(0, 12);
  const root = join(CACHE, `${SUITE}-${key}`);
  if (!existsSync(root)) makeRoot(root);
  return root;
}

function makeRoot(root: string): void {
  const part = `${root}.${process.pid}`;
  mkdirSync(CACHE, { recursive: true });
  execFileSync("debootstrap", ["--variant=minbase", `--include=${PACKAGES}`, SUITE, part, mirror()], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  // Each machine has an identity of its own, and asks nobody for one.
  for (const file of ["etc/hostname", "etc/machine-id", "var/lib/dbus/machine-id"])
    rmSync(join(part, file), { force: true });
  execFileSync("chroot", [part, "systemctl", "mask", "systemd-firstboot.service"], { stdio: "ignore" });
  renameSync(part, root);
}

/** The mirror that this machine's own apt uses for the suite. */
function mirror(): string {
  const format = ["--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"];
  const targets = execFileSync("apt-get", ["indextargets", ...format], { encoding: "utf8" });
  const found = new RegExp(`^${SUITE} main (\\S+)$`, "m").exec(targets)?.[1];
  if (found === undefined) throw new Error(`apt knows no mirror of ${SUITE}`);
  return found;
}
