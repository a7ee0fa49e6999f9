/** Compiles our programs for Windows with Debian's mingw-w64, the same bytes each time; there is no binary of them in the repository. */
import { execFileSync, spawnSync } from "node:child_process";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../../..");
const TOOLS = "x86_64-w64-mingw32";
const COMPILER = `${TOOLS}-gcc`;
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

export const LAUNCHER = "keybound-job-launcher.exe";
export const SERVICE = "keybound-service.exe";

/** The compiler, and what it comes in. */
export const COMPILER_TOOLS = { [COMPILER]: "gcc-mingw-w64-x86-64-win32" } as const;

/** Compiles the launcher into this folder. `false` where there is no compiler; throws where it fails. */
export function buildLauncher(folder: string): boolean {
  const libraries = ["-luserenv", "-lwtsapi32", "-ladvapi32"];
  return compile([...sourcesIn("packaging/windows"), "-o", join(folder, LAUNCHER), ...libraries]);
}

/**
 * Compiles the service host into this folder, with the text of its entries in the Event Log. The same otherwise. `waitsMs` are a test's,
 * in place of those of packaging/windows/service/versions.h.
 */
export function buildServiceHost(folder: string, waitsMs: Readonly<Record<string, number>> = {}): boolean {
  if (!hasCompiler()) return false;
  const made = mkdtempSync(join(tmpdir(), "keybound-messages-"));
  try {
    const messages = join(ROOT, "packaging/windows/service/messages.mc");
    execFileSync(`${TOOLS}-windmc`, ["-h", made, "-r", made, messages]);
    const resource = join(made, "messages.o");
    // It names a file beside it, and where that is must not matter.
    execFileSync(`${TOOLS}-windres`, ["messages.rc", "messages.o"], { cwd: made });
    const libraries = ["-ladvapi32", "-lshell32", "-lole32", "-luuid"];
    const sources = sourcesIn("packaging/windows/service");
    const waits = Object.entries(waitsMs).map(([name, value]) => `-D${name}=${value}`);
    return compile([`-I${made}`, ...waits, ...sources, resource, "-o", join(folder, SERVICE), ...libraries]);
  } finally {
    rmSync(made, { recursive: true });
  }
}

function sourcesIn(folder: string): readonly string[] {
  return globSync(`${folder}/*.c`, { cwd: ROOT }).toSorted();
}

function hasCompiler(): boolean {
  return spawnSync(COMPILER, ["--version"], { stdio: "ignore" }).error === undefined;
}

function compile(args: readonly string[]): boolean {
  if (!hasCompiler()) return false;
  const { status, error } = spawnSync(COMPILER, [...FLAGS, ...args], { cwd: ROOT, stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${COMPILER} failed`);
  return true;
}
