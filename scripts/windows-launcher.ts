/** Compiles the Windows launcher with Debian's mingw-w64, the same bytes each time; there is no binary of it in the repository. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const COMPILER = "x86_64-w64-mingw32-gcc";
const FLAGS = [
  "-municode",
  "-std=c17",
  "-O2",
  "-s",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-static",
  // Windows 10: Job Objects as attributes of a process that is to be made.
  "-D_WIN32_WINNT=0x0A00",
  "-Wl,--no-insert-timestamp,--dynamicbase,--nxcompat,--high-entropy-va",
] as const;
const LIBRARIES = ["-luserenv", "-lwtsapi32", "-ladvapi32"] as const;

export const LAUNCHER = "keybound-job-launcher.exe";

/** What can be done where the compiler is missing. */
export const COMPILER_HINT = "apt-get install gcc-mingw-w64-x86-64-win32";

/** Compiles into this folder. `false` where there is no compiler; throws where it fails. */
export function buildLauncher(folder: string): boolean {
  const sources = globSync("packaging/windows/*.c", { cwd: ROOT }).toSorted();
  const args = [...FLAGS, "-o", join(folder, LAUNCHER), ...sources, ...LIBRARIES];
  const { status, error } = spawnSync(COMPILER, args, { cwd: ROOT, stdio: "inherit" });
  if (error !== undefined && "code" in error && error.code === "ENOENT") return false;
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${COMPILER} failed`);
  return true;
}
