// What these tests need from Debian beyond a plain installation, installed where it is missing.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export function installTools(): void {
  needTools({ debootstrap: "debootstrap", "systemd-nspawn": "systemd-container", rpmbuild: "rpm" });
}

/** Each program, and the package that it comes from. */
export function needTools(tools: Readonly<Record<string, string>>): void {
  const missing = Object.entries(tools).flatMap(([tool, from]) => (isInstalled(tool) ? [] : [from]));
  if (missing.length === 0) return;
  apt("update");
  apt("install", "-y", "--no-install-recommends", ...missing);
}

function isInstalled(tool: string): boolean {
  return ["/usr/bin", "/usr/sbin"].some((folder) => existsSync(join(folder, tool)));
}

function apt(...args: readonly string[]): void {
  execFileSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=400", ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: "ignore",
  });
}
