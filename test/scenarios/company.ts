// A company with people at terminals, a relay and devices: all of them real processes in one folder.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Program } from "../e2e/program.ts";
import { type CliOptions, expectDone, MAIN, type Ran, runProgram } from "../operator/house.ts";
import { Terminal } from "./terminal.ts";

/** One for each person would cost nothing more than this one for all. */
export const PASSPHRASE = "abdomen stunned pusher zoning abide wagon";
export const FILE_PASSPHRASE = "crisp tulip onward velvet magnet sixty";

export type Package = { readonly file: string; readonly pin: string };

export class Company implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "keybound-company-"));
  readonly #programs: Program[] = [];
  readonly #terminals: Terminal[] = [];
  #relay: Program | undefined;
  #url = "";

  private constructor() {
    this.write("passphrase", PASSPHRASE);
    this.write("file-passphrase", FILE_PASSPHRASE);
  }

  static async open(): Promise<Company> {
    const company = new Company();
    await company.startRelay();
    return company;
  }

  get url(): string {
    return this.#url;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A file with one line. */
  write(name: string, line: string): string {
    writeFileSync(this.path(name), `${line}\n`, { mode: 0o600 });
    return this.path(name);
  }

  // --- The relay ---

  async startRelay(): Promise<void> {
    const listen = this.#url === "" ? "127.0.0.1:0" : new URL(this.#url).host;
    this.#relay = this.#started(new Program("relay", ["serve", "--state", this.path("relay"), "--listen", listen], {}));
    const [, url = ""] = await this.#relay.says(/listening on (\S+)/);
    this.#url = url;
  }

  async stopRelay(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await this.#relay?.end(signal);
  }

  /** A claim code; with a pin, for the place of that organisation. */
  async claim(reset?: string): Promise<string> {
    const over = reset === undefined ? [] : ["--reset", reset];
    const { stdout } = await this.#started(
      new Program("relay", ["claim", "--state", this.path("relay"), ...over], {}),
    ).done();
    return /claim code: (\S+)/.exec(stdout)?.[1] ?? "";
  }

  // --- People ---

  /** Runs a person's command to its end. */
  run(who: string, args: readonly string[], options: CliOptions = {}): Promise<Ran> {
    return runProgram(MAIN, args, { ...options, env: { KEYBOUND_HOME: this.path(who), ...options.env } });
  }

  /** The same with the passphrase, of which must come good. */
  async does(who: string, ...args: readonly string[]): Promise<string> {
    const at = args.indexOf("--");
    const place = at < 0 ? args.length : at;
    const unlocking = ["--passphrase-file", this.path("passphrase")];
    return expectDone(await this.run(who, [...args.slice(0, place), ...unlocking, ...args.slice(place)])).stdout;
  }

  /** What a command that only reads says as JSON. */
  async reads<T>(who: string, ...args: readonly string[]): Promise<T> {
    return JSON.parse(expectDone(await this.run(who, [...args, "--json"])).stdout);
  }

  /** A person's command at a terminal. */
  at(who: string, ...args: readonly string[]): Terminal {
    const terminal = new Terminal([process.execPath, MAIN, ...args], { KEYBOUND_HOME: this.path(who) });
    this.#terminals.push(terminal);
    return terminal;
  }

  /** The founder, who has a recovery file `WHO.age` unless said otherwise. Answers the pin. */
  async found(who: string, over: readonly string[] = ["--recovery-file", this.path(`${who}.age`)]): Promise<string> {
    const args = ["--relay", this.url, "--claim", await this.claim(), "--org", "Acme", "--name", who, "--acknowledge"];
    const files = ["--recovery-passphrase-file", this.path("file-passphrase")];
    const made: { pin: string } = JSON.parse(await this.does(who, "init", ...args, ...over, ...files, "--json"));
    return made.pin;
  }

  /** Asks for a key without waiting. Answers the 20-character code and, but for passphrase-only keys, the setup code. */
  async asks(who: string, pin: string, over: readonly string[] = []): Promise<{ code: string; setupCode: string }> {
    const args = ["--relay", this.url, "--pin", pin, "--name", who, "--acknowledge", "--no-recovery-file", "--no-wait"];
    return JSON.parse(await this.does(who, "key", "create", ...args, ...over, "--json"));
  }

  /** A new operator, approved by the long code. */
  async joins(who: string, { pin, by, role = "operator" }: { pin: string; by: string; role?: string }): Promise<void> {
    const { code } = await this.asks(who, pin);
    await this.does(by, "key", "approve", who, "--role", role, "--code", code, "--no-wait");
  }

  // --- Devices ---

  async package(who: string, over: readonly string[] = []): Promise<Package> {
    const file = this.path(`package-${who}-${Math.random().toString(36).slice(2)}.json`);
    const { pin }: { pin: string } = JSON.parse(await this.does(who, "package", "--out", file, ...over, "--json"));
    return { file, pin };
  }

  /** Binds the device of this name. */
  bind(name: string, { file, pin }: Package, over: readonly string[] = []): Promise<Ran> {
    mkdirSync(this.path(name), { recursive: true, mode: 0o700 });
    return this.agent(["bind", file, "--trust", pin, "--state", this.path(name), ...over]);
  }

  /** Runs the agent's program to its end. */
  async agent(args: readonly string[]): Promise<Ran> {
    const program = this.#started(new Program("agent", args, {}));
    const code = await program.ended();
    return { code, stdout: program.stdout, stderr: program.stderr };
  }

  /** The device's daemon; it has connected. */
  async power(name: string): Promise<Program> {
    const agent = this.#started(new Program("agent", ["run", "--state", this.path(name)], {}));
    await agent.says(/"connected"/);
    return agent;
  }

  /** Waits until this is so, for as long as a person would. */
  async until(isSo: () => Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new Error(`never: ${what}`);
      await sleep(100);
    }
  }

  #started(program: Program): Program {
    this.#programs.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#terminals.map((terminal) => terminal[Symbol.asyncDispose]()));
    await Promise.all(this.#programs.toReversed().map((program) => program.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
