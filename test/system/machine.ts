// A machine of its own for a test: systemd as process 1 in a container that shares the host's network, on a disk that is thrown away.
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { debianRoot, type RootOptions } from "./root.ts";

const PATIENCE_MS = 60_000;
const POLL_MS = 50;
const SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const NSPAWN = { env: { PATH: SEARCH_PATH, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" } };

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

export class Machine implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "keybound-machine-"));
  readonly #name = `kb${createHash("sha256").update(randomUUID()).digest("hex").slice(0, 8)}`;
  readonly #shared: string;
  #nspawn: ChildProcess | undefined;
  #leader = 0;

  /** A machine that is switched off. It sees the folder `shared` as /srv/shared, to read. */
  constructor(shared: string, root: RootOptions = {}) {
    this.#shared = shared;
    for (const part of ["upper", "work", "root"]) mkdirSync(join(this.#folder, part));
    const layers = `lowerdir=${debianRoot(root)},upperdir=${join(this.#folder, "upper")},workdir=${join(this.#folder, "work")}`;
    execFileSync("mount", ["-t", "overlay", "overlay", "-o", layers, this.path("/")]);
    mkdirSync(this.path("/srv/shared"));
    mkdirSync(this.#group);
  }

  static async boot(shared: string, root: RootOptions = {}): Promise<Machine> {
    const machine = new Machine(shared, root);
    await machine.start();
    return machine;
  }

  /** Where a file of the machine's disk is on the host. */
  path(inside: string): string {
    return join(this.#folder, "root", inside);
  }

  /** Writes a file of root's into the machine. */
  write(inside: string, content: string | Uint8Array, mode = 0o600): void {
    mkdirSync(dirname(this.path(inside)), { recursive: true });
    writeFileSync(this.path(inside), content, { mode });
  }

  read(inside: string): string {
    return readFileSync(this.path(inside), "utf8");
  }

  has(inside: string): boolean {
    return existsSync(this.path(inside));
  }

  /** Boots, to the point where systemd has nothing more to start. */
  async start(): Promise<void> {
    const log = openSync(join(this.#folder, "console"), "a");
    const nspawn = spawn("sh", this.#nspawnArgs("--boot"), { ...NSPAWN, stdio: ["ignore", log, log], detached: true });
    this.#nspawn = nspawn;
    await this.until(() => this.#findLeader(nspawn.pid ?? 0), "systemd to answer");
    this.run("systemctl is-system-running --wait");
  }

  /** Runs a line of sh as root. `env` is all it gets beside a search path. */
  run(line: string, env: Readonly<Record<string, string>> = {}): Ran {
    const enter = ["-t", String(this.#leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"];
    return this.#spawn("nsenter", [...enter, ...command(line, env)]);
  }

  /** Runs a line on the disk while nothing runs there, as a builder of images does. */
  runInImage(line: string, env: Readonly<Record<string, string>> = {}): Ran {
    const mounts = 'mount --bind "$0" "$1/srv/shared"; root=$1; shift; exec chroot "$root" "$@"';
    const unshared = ["-m", "sh", "-c", mounts, this.#shared, this.path("/")];
    return this.#spawn("unshare", [...unshared, ...command(line, env)]);
  }

  /** Runs a line as root in a container that has no systemd, with nothing else in it but a process 1 that reaps. `until` ends it. */
  async runInContainer(line: string, env: Readonly<Record<string, string>>, until?: AbortSignal): Promise<Ran> {
    const args = [...this.#nspawnArgs("--as-pid2"), ...command(line, env)];
    const options = { ...NSPAWN, timeout: PATIENCE_MS, ...(until && { signal: until }) };
    const ran = await new Promise<Ran>((resolve) => {
      let said = { stdout: "", stderr: "" };
      const child = execFile("sh", args, options, (_error, stdout, stderr) => (said = { stdout, stderr }));
      // Not when that is called, which an abort does at once.
      child.once("close", (code) => resolve({ code: code ?? -1, ...said }));
    });
    this.#removeGroups();
    return ran;
  }

  /** Runs a line that must succeed, and returns what it said on stdout. */
  does(line: string, env: Readonly<Record<string, string>> = {}): string {
    const { code, stdout, stderr } = this.run(line, env);
    if (code !== 0) throw new Error(`${line}: exit ${code}\n${stdout}${stderr}\n${this.console()}`);
    return stdout.trim();
  }

  /** Waits until this line succeeds. */
  async comesTrue(line: string): Promise<void> {
    await this.until(() => this.run(line).code === 0, line);
  }

  async until(isSo: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!isSo()) {
      if (performance.now() > deadline) throw new Error(`no ${what} within ${PATIENCE_MS} ms: ${this.console()}`);
      await sleep(POLL_MS);
    }
  }

  /** Off by way of systemd, or with a kill of process 1, and on again. */
  async restart(how: "orderly" | "kill"): Promise<void> {
    await this.#stop(how);
    await this.start();
  }

  /** What the container and the agent's service said, for the message of a failure. */
  console(): string {
    const said = readFileSync(join(this.#folder, "console"), "utf8").slice(-2000);
    return `${said}\n${this.run("journalctl --no-pager -n 40 -u keybound-agent").stdout}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#nspawn !== undefined) await this.#stop("kill");
    execFileSync("umount", [this.path("/")]);
    rmdirSync(this.#group);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #group(): string {
    const top = "/sys/fs/cgroup";
    const unified = existsSync(join(top, "cgroup.controllers")) ? top : join(top, "unified");
    return join(unified, this.#name);
  }

  /** For sh: in a control group of its own, as two machines in one would take each other's services for theirs. */
  #nspawnArgs(how: "--boot" | "--as-pid2"): readonly string[] {
    const script = 'echo $$ > "$0" && exec systemd-nspawn "$@"';
    const options = ["--register=no", "--keep-unit", how, "--console=pipe", `--machine=${this.#name}`, "--quiet"];
    const where = [`--directory=${this.path("/")}`, `--bind-ro=${this.#shared}:/srv/shared`];
    return ["-c", script, join(this.#group, "cgroup.procs"), ...options, ...where];
  }

  #spawn(program: string, args: readonly string[]): Ran {
    const { status, signal, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: PATIENCE_MS });
    return { code: status ?? -1, stdout, stderr: signal === null ? stderr : `${stderr}\nended by ${signal}` };
  }

  /** The container's process 1, once it is systemd and takes commands. */
  #findLeader(nspawn: number): boolean {
    const [child] = childrenOf(nspawn);
    if (child === undefined || !existsSync(`/proc/${child}/root/run/systemd/private`)) return false;
    this.#leader = child;
    return readFileSync(`/proc/${child}/comm`, "utf8").trim() === "systemd";
  }

  async #stop(how: "orderly" | "kill"): Promise<void> {
    const nspawn = this.#nspawn;
    if (nspawn === undefined) throw new Error("internal error: this machine is off");
    const gone = new Promise((resolve) => nspawn.once("exit", resolve));
    if (how === "kill") process.kill(this.#leader, "SIGKILL");
    else nspawn.kill("SIGTERM");
    if (nspawn.exitCode === null && nspawn.signalCode === null) await gone;
    this.#nspawn = undefined;
    this.#removeGroups();
  }

  /** The groups that the container left are empty now; the next boot makes its own. */
  #removeGroups(): void {
    execFileSync("find", [this.#group, "-mindepth", "1", "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
  }
}

function command(line: string, env: Readonly<Record<string, string>>): readonly string[] {
  const given = Object.entries({ PATH: SEARCH_PATH, HOME: "/root", TERM: "dumb", ...env });
  return ["/usr/bin/env", "-i", ...given.map(([name, value]) => `${name}=${value}`), "/bin/sh", "-c", line];
}

function childrenOf(pid: number): readonly number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children === "" ? [] : children.split(" ").map(Number);
  } catch {
    return [];
  }
}
