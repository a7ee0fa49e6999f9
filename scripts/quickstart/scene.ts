// A scene of the quickstart: the stage, the page and the attacker, and how a command is shown, run and believed.
import * as v from "valibot";
import { isRefusalCode, type RefusalCode } from "../../protocol/refusal.ts";
import type { Attacker } from "./attacker.ts";
import { type Page, typed } from "./page.ts";
import { type Program, type Ran, type Server, type Stage, StoryFailed } from "./stage.ts";

export const PASSPHRASE = ["--passphrase-file", "passphrase"] as const;

/** What the agent tells anybody on the machine. */
const Status = v.looseObject({ device: v.string() });

export class Scene {
  readonly stage: Stage;
  readonly page: Page;
  readonly #agents = new Map<string, Server>();
  #pin = "";

  constructor(stage: Stage, page: Page) {
    this.stage = stage;
    this.page = page;
  }

  /** Shows a command, runs it, shows what it answered. Throws `StoryFailed` where it does not end with 0. */
  async run(program: Program, args: readonly string[]): Promise<Ran> {
    this.page.command(typed([program, ...args]));
    const ran = await this.stage.run(program, args);
    this.page.answer(ran.shown);
    if (ran.code !== 0) throw new StoryFailed(`${program} ${args[0]} ended with ${ran.code}`);
    return ran;
  }

  /** Shows and starts a program that goes on, until it has said this. */
  async serve(name: string, { program, args, ready }: { program: Program; args: readonly string[]; ready: string }) {
    this.page.command(`${typed([program, ...args])} > ${name}.out 2> ${name}.err &`);
    const before = this.stage.read(`${name}.out`).length;
    const server = this.stage.start(name, program, args);
    const hasSaid = () => this.stage.read(`${name}.out`).slice(before).includes(ready);
    await this.stage.until(() => hasSaid() || server.child.exitCode !== null, `${name} to say: ${ready}`);
    if (server.child.exitCode !== null) throw new StoryFailed(`${program} ended with ${server.child.exitCode}`);
    return server;
  }

  /** Makes the package with which devices join, and keeps its pin. */
  async package(): Promise<void> {
    const { stdout } = await this.run("keybound", ["package", "--out", "acme.json", ...PASSPHRASE]);
    this.#pin = /^pin +(\S+)$/m.exec(stdout)?.[1] ?? "";
  }

  /** Binds a device with this state folder; its id. */
  async bind(state: string): Promise<string> {
    await this.run("keybound-agent", ["bind", "acme.json", "--trust", this.#pin, "--state", state]);
    return this.deviceOf(state);
  }

  /** The id of the device with this state folder. */
  deviceOf(state: string): string {
    return v.parse(Status, JSON.parse(this.stage.read(`${state}.status.json`))).device;
  }

  /** Switches on the device with this state folder. */
  async agentOn(state: string, ready: string): Promise<void> {
    this.#agents.set(
      state,
      await this.serve(state, { program: "keybound-agent", args: ["run", "--state", state], ready }),
    );
  }

  /** Switches it off. */
  async agentOff(state: string): Promise<void> {
    const agent = this.#agents.get(state);
    if (agent === undefined) throw new Error(`internal error: ${state} was never on`);
    this.page.command(`kill ${agent.child.pid}`);
    await this.stage.end(agent);
  }
}

/** What the attacks need of what came before them. */
export type Siege = {
  readonly scene: Scene;
  readonly attacker: Attacker;
  /** The attacked device's name. */
  readonly desk: string;
  /** Switches the attacked device off, and on again. */
  readonly off: () => Promise<void>;
  readonly on: () => Promise<void>;
  /** The job that was really signed, and ran. */
  readonly job: string;
};

/** The code with which a device says, in the output of one of our programs, that it refused; `undefined` where it does not. */
export function refusedCode(shown: string): RefusalCode | undefined {
  const code = /\brefused\s+(?:code\s+)?([a-z-]+)/.exec(shown)?.[1] ?? "";
  return isRefusalCode(code) ? code : undefined;
}

/** Throws `StoryFailed` unless the device said that it refused, with this code. */
export function expectRefused(shown: string, code: RefusalCode): void {
  const found = refusedCode(shown);
  if (found === code) return;
  const instead = found === undefined ? "it refused nothing" : `it was refused with ${found}`;
  throw new StoryFailed(`the device should have refused this with ${code}, but ${instead}`);
}
