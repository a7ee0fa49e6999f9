// An operator's desk for tests: a real relay, a folder of one's own, and the operator's program as a process.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningRelay, startRelay } from "../../relay/start.ts";

export const MAIN = join(import.meta.dirname, "../../operator/main.ts");
const AGENT = join(import.meta.dirname, "../../agent/main.ts");
export const PASSPHRASE = "abdomen stunned pusher zoning abide wagon";

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type CliOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Sees the process right after its start. */
  readonly onStart?: (child: ChildProcess) => void;
};

export class OperatorHouse implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "keybound-operator-"));
  readonly home = join(this.folder, "home");
  readonly passphraseFile = join(this.folder, "passphrase");
  readonly relay: RunningRelay;
  /** What the programs dial: the relay, or whoever stands before it. */
  readonly url: string;
  readonly #agents: ChildProcess[] = [];
  readonly #relayFolder: string;

  private constructor(relay: RunningRelay, relayFolder: string, url: string | undefined) {
    this.relay = relay;
    this.#relayFolder = relayFolder;
    this.url = url ?? relay.url;
    writeFileSync(this.passphraseFile, `${PASSPHRASE}\n`);
  }

  /** `names` are hosts that are dialled in front of the relay; `clockOffMs` is what its clock is ahead. */
  static async open({ front, clockOffMs = 0 }: { front?: string; clockOffMs?: number } = {}): Promise<OperatorHouse> {
    const folder = mkdtempSync(join(tmpdir(), "keybound-operator-relay-"));
    const relay = await startRelay({
      folder,
      listen: { host: "127.0.0.1", port: 0 },
      ...(front === undefined ? {} : { names: [new URL(front).host] }),
      now: () => Date.now() + clockOffMs,
      ticks: () => performance.now(),
      random: (bytes) => new Uint8Array(randomBytes(bytes)),
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    return new OperatorHouse(relay, folder, front);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Runs the operator's program to its end, with this house's home. */
  run(args: readonly string[], options: CliOptions = {}): Promise<Ran> {
    return runProgram(MAIN, args, { ...options, env: { KEYBOUND_HOME: this.home, ...options.env } });
  }

  /** The same, for a command that needs the passphrase. */
  unlocked(args: readonly string[], options: CliOptions = {}): Promise<Ran> {
    const at = args.indexOf("--");
    const place = at < 0 ? args.length : at;
    const passphrase = ["--passphrase-file", this.passphraseFile];
    return this.run([...args.slice(0, place), ...passphrase, ...args.slice(place)], options);
  }

  /** Makes the organisation Acme with Ada as its first admin. */
  init(over: readonly string[] = []): Promise<Ran> {
    const claim = this.relay.claimCode ?? this.relay.newClaimCode();
    const noFile = over.includes("--recovery-file") ? [] : ["--no-recovery-file"];
    const args = [
      "init",
      "--relay",
      this.url,
      "--claim",
      claim,
      "--org",
      "Acme",
      "--name",
      "Ada",
      "--acknowledge",
      ...noFile,
    ];
    return this.unlocked([...args, ...over]);
  }

  /** Writes a package and answers its path and the pin. */
  async package(name: string, over: readonly string[] = []): Promise<{ file: string; pin: string }> {
    const file = this.path(name);
    const { stdout } = expectDone(await this.unlocked(["package", "--out", file, "--json", ...over]));
    const { pin }: { pin: string } = JSON.parse(stdout);
    return { file, pin };
  }

  /** A real agent, bound by this package and running. */
  async agent(name: string, { file, pin }: { file: string; pin: string }): Promise<ChildProcess> {
    const state = this.path(name);
    mkdirSync(state, { mode: 0o700 });
    expectDone(await runProgram(AGENT, ["--state", state, "bind", file, "--trust", pin], {}));
    return this.startAgent(name);
  }

  /** The agent of this name again, after it was ended. */
  startAgent(name: string): ChildProcess {
    const state = this.path(name);
    const child = spawn(process.execPath, [AGENT, "--state", state, "run"], { stdio: "ignore" });
    this.#agents.push(child);
    return child;
  }

  /** Asks until the relay lists this many devices that this home does not know yet. */
  async pending(count: number): Promise<void> {
    for (let attempt = 0; attempt < 40; attempt++) {
      const { stdout } = expectDone(await this.run(["devices", "--pending", "--json"]));
      const found: unknown[] = JSON.parse(stdout);
      if (found.length >= count) return;
    }
    throw new Error(`never ${count} pending devices`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#agents.map(ended));
    await this.relay.close();
    for (const folder of [this.folder, this.#relayFolder]) rmSync(folder, { recursive: true, force: true });
  }
}

export function runProgram(
  main: string,
  args: readonly string[],
  { env, input, onStart, program = process.execPath }: CliOptions & { readonly program?: string },
): Promise<Ran> {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(program, [main, ...args], { env: { PATH, HOME, ...env } });
  onStart?.(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // A program that ends without reading its input is no failure of the test.
  child.stdin.on("error", () => undefined).end(input ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** The run, if it ended with 0; else an error that shows what it said. */
export function expectDone(ran: Ran): Ran {
  if (ran.code !== 0) throw new Error(`ended with ${ran.code}: ${ran.stderr}${ran.stdout}`);
  return ran;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}
