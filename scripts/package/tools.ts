/** Programs of Debian's that making and trying packages needs: installed where we may, else named with the line that installs them. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The Debian package of each program; a program is a name or a whole path. */
export type Tools = Readonly<Record<string, string>>;

/**
 * Returns when every program is there. As root where there is apt-get, what is missing is installed first, and one line on stderr
 * says so. Throws with the line to run where it cannot be.
 */
export function needTools(tools: Tools): void {
  const missing = Object.keys(tools).filter((tool) => !isInstalled(tool));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => tools[tool] ?? tool))].toSorted();
  const hint = `hint: apt-get install ${packages.join(" ")}`;
  if (process.getuid?.() !== 0 || !isInstalled("apt-get"))
    throw new Error(`not installed: ${missing.join(", ")}\n${hint}`);
  console.error(`installing ${packages.join(" ")}`);
  try {
    apt("update");
    apt("install", "-y", "--no-install-recommends", ...packages);
  } catch (cause) {
    throw new Error(`apt-get could not install ${packages.join(" ")}\n${hint}`, { cause });
  }
}

function isInstalled(tool: string): boolean {
  if (tool.startsWith("/")) return existsSync(tool);
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/sbin"];
  return folders.some((folder) => existsSync(join(folder, tool)));
}

function apt(...args: readonly string[]): void {
  execFileSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=400", ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "ignore", "inherit"],
  });
}
