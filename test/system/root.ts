// The Debians from which the machines of these tests start: each made once with debootstrap, kept, and never written to again.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installTools } from "./tools.ts";

const CACHE = "/var/cache/keybound-test";
/** Debian's releases that a mirror has today, oldest first. */
export const SUITES = ["bullseye", "bookworm", "trixie", "forky", "sid"] as const;
export type Suite = (typeof SUITES)[number];
/** Where nothing else is said, and the one whose mirror is asked for the others. */
const USUAL: Suite = "bookworm";
/** debootstrap's way of making a suite that it may not know by name yet. */
const RECIPES: Partial<Record<Suite, string>> = { forky: "sid" };
/** What the packages ask for, what a test looks with, and rpm for the .rpm. */
const PACKAGES = "systemd,systemd-sysv,dbus,iproute2,procps,util-linux,ca-certificates,libatomic1,libstdc++6,rpm";

/** What an admin's tools need on a machine: Ansible at both its ends, and cloud-init, which fetches by wget. */
export const ADMIN_TOOLS = "ansible-core cloud-init python3-apt wget";

export type RootOptions = { readonly suite?: Suite; readonly more?: string | undefined };

/** The folder of the suite's root file system, with these packages more. Takes half a minute or two where it has to be made. Needs root and a Debian mirror. */
export function debianRoot({ suite = USUAL, more }: RootOptions): string {
  installTools();
  return more === undefined ? plainRoot(suite) : rootWith(suite, more);
}

function rootWith(suite: Suite, more: string): string {
  const plain = plainRoot(suite);
  const root = `${plain}-${createHash("sha256").update(more).digest("hex").slice(0, 12)}`;
  if (existsSync(root)) return root;
  const part = `${root}.${process.pid}`;
  execFileSync("cp", ["-a", plain, part]);
  const apt = (...args: readonly string[]) =>
    execFileSync("chroot", [part, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", ...args], {
      stdio: "ignore",
    });
  // The mirror may have newer ones than when the plain root was made.
  apt("update");
  apt("install", "-y", "--no-install-recommends", ...more.split(" "));
  renameSync(part, root);
  return root;
}

function plainRoot(suite: Suite): string {
  const key = createHash("sha256").update(`${suite} ${PACKAGES}`).digest("hex").slice(0, 12);
  const root = join(CACHE, `${suite}-${key}`);
  if (!existsSync(root)) makeRoot(suite, root);
  return root;
}

function makeRoot(suite: Suite, root: string): void {
  const part = `${root}.${process.pid}`;
  mkdirSync(CACHE, { recursive: true });
  debootstrap(suite, part);
  // Each machine has an identity of its own, and asks nobody for one.
  for (const file of ["etc/hostname", "etc/machine-id", "var/lib/dbus/machine-id"])
    rmSync(join(part, file), { force: true });
  execFileSync("chroot", [part, "systemctl", "mask", "systemd-firstboot.service"], { stdio: "ignore" });
  renameSync(part, root);
}

function debootstrap(suite: Suite, folder: string): void {
  const from = mirror();
  const args = ["--variant=minbase", `--include=${PACKAGES}`, suite, folder, from, RECIPES[suite] ?? suite];
  const { status, stdout, stderr } = spawnSync("debootstrap", args, { encoding: "utf8" });
  if (status !== 0)
    throw new Error(`debootstrap could not make ${suite} from ${from}:\n${(stdout + stderr).slice(-2000)}`);
}

/** The mirror that this machine's own apt uses for the usual suite. */
function mirror(): string {
  const format = ["--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"];
  const targets = execFileSync("apt-get", ["indextargets", ...format], { encoding: "utf8" });
  const found = new RegExp(`^${USUAL} main (\\S+)$`, "m").exec(targets)?.[1];
  if (found === undefined) throw new Error(`apt knows no mirror of ${USUAL}`);
  return found;
}
