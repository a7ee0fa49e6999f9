/** What a benchmark plays on: a relay, an organisation made with the CLI, agents bound by its package, an unlocked operator. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openDesk } from "../../operator/desk.ts";
import { openUnlocked, type Unlocked } from "../../operator/unlock/unlock.ts";
import type { World } from "../../operator/world.ts";
import type { Bundles } from "./bundles.ts";
import { AGENT_ENVIRONMENT, AGENT_FLAGS } from "../package/agent-flags.ts";
import { type Environment, Program, type Ran, runToEnd } from "./programs.ts";

/** What every benchmark is given: the bundles, a world for operator modules, and a folder of its own. */
export type Bench = { readonly world: World; readonly bundles: Bundles; readonly folder: string };

const PASSPHRASE = "abdomen stunned pusher zoning abide wagon";
const TOKEN_USES = "5000";
const POLL_MS = 100;

export class Stage implements AsyncDisposable {
  readonly bench: Bench;
  readonly home: string;
  readonly passphraseFile: string;
  readonly package: string;
  readonly #owned = new AsyncDisposableStack();
  #relay: Program | undefined;
  #url = "";

  private constructor(bench: Bench) {
    this.bench = bench;
    this.home = this.path("home");
    this.package = this.path("package.json");
    this.passphraseFile = this.path("passphrase");
  }

  /** A running relay with an organisation and its package, all by the shipped programs. */
  static async open(bench: Bench): Promise<Stage> {
    const stage = new Stage(bench);
    writeFileSync(stage.passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
    const relay = await stage.startRelay();
    const [, claim = ""] = await relay.line(/^claim code: (\S+)$/m);
    const names = ["--claim", claim, "--org", "Bench", "--name", "Ada", "--acknowledge", "--no-recovery-file"];
    await stage.keybound(["init", "--relay", stage.url, ...names, ...stage.unlocking]);
    await stage.keybound(["package", "--out", stage.package, "--uses", TOKEN_USES, ...stage.unlocking]);
    return stage;
  }

  get url(): string {
    return this.#url;
  }

  get relay(): Program {
    if (this.#relay === undefined) throw new Error("the relay does not run");
    return this.#relay;
  }

  get unlocking(): readonly string[] {
    return ["--passphrase-file", this.passphraseFile];
  }

  path(name: string): string {
    return join(this.bench.folder, name);
  }

  /** Runs the operator's program to its end. */
  keybound(args: readonly string[], env: Environment = {}): Promise<Ran> {
    return runToEnd([this.bench.bundles.operator, ...args], { KEYBOUND_HOME: this.home, ...env });
  }

  /** Ends the relay where one runs, and starts a fresh one on the same folder and port. */
  async startRelay(): Promise<Program> {
    await this.#relay?.[Symbol.asyncDispose]();
    const listen = this.#url === "" ? "127.0.0.1:0" : new URL(this.#url).host;
    const args = [this.bench.bundles.relay, "serve", "--state", this.path("relay"), "--listen", listen];
    const log = this.path(`relay-${performance.now()}.log`);
    const relay = this.#owned.use(new Program(args, { log }));
    [, this.#url = ""] = await relay.line(/^listening on (\S+)$/m);
    this.#relay = relay;
    return relay;
  }

  /** Arguments that run an agent as its service does, which is bound first. */
  async boundAgent(name: string): Promise<readonly string[]> {
    const state = this.path(name);
    mkdirSync(state, { mode: 0o700 });
    await runToEnd([this.bench.bundles.agent, "bind", this.package, "--state", state]);
    return [...AGENT_FLAGS, this.bench.bundles.agent, "run", "--state", state];
  }

  /** A real agent, running and enrolled. */
  async agent(name: string): Promise<Program> {
    const args = await this.boundAgent(name);
    const agent = this.#owned.use(new Program(args, { log: this.path(`${name}.log`), env: AGENT_ENVIRONMENT }));
    await agent.line(/"enrolment sent"/);
    return agent;
  }

  /** A helper or floor that lives as long as this stage. */
  own<T extends AsyncDisposable>(program: T): T {
    return this.#owned.use(program);
  }

  /** An operator with key and connection held, once this many devices are in the roster; enrolled devices are admitted. */
  async operator(devices: number): Promise<Unlocked> {
    const desk = openDesk(this.bench.world, { home: this.home, passphraseFile: this.passphraseFile });
    this.#owned.use(desk);
    const unlocked = await openUnlocked(desk);
    this.#owned.use(unlocked.session);
    if (unlocked.session.roster.devices.size === devices) return unlocked;
    throw new Error(`${unlocked.session.roster.devices.size} devices in the roster, expected ${devices}`);
  }

  /** Connections of devices as the relay counts them. */
  async waitForDevices(count: number): Promise<void> {
    for (;;) {
      const metrics = await (await fetch(`${this.url.replace("ws", "http")}/metrics`)).text();
      const found = /^keybound_relay_connections\{role="device"\} (\d+)$/m.exec(metrics)?.[1] ?? "0";
      if (Number(found) === count) return;
      await sleep(POLL_MS);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}
