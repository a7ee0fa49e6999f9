// The story of the quickstart: from an empty folder to a verified receipt, then five attacks and what became of them.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { toCrockford } from "../../protocol/crockford.ts";
import { Attacker } from "./attacker.ts";
import { ATTACKS, type Attack } from "./attacks.ts";
import { typed } from "./page.ts";
import { expectRefused, PASSPHRASE, Scene, type Siege } from "./scene.ts";
import { BIN, StoryFailed } from "./stage.ts";

const RELAY = { program: "keybound-relay", ready: "claim code: " } as const;
/** 32 characters of five bits: as hard to guess as a key. */
const PASSPHRASE_CHARS = 32;
/** The file into which the real job writes a line each time that it runs. */
const TRACE = "ran.txt";

/** Tells the whole story, and answers the device's name. Throws `StoryFailed` at the first thing that is not so. */
export async function tellStory(scene: Scene, attacks: readonly Attack[] = ATTACKS): Promise<string> {
  await setUp(scene);
  const job = await runRealJob(scene);
  const desk = await besiege(scene, job, attacks);
  await lookBack(scene, attacks);
  return desk;
}

async function setUp(scene: Scene): Promise<void> {
  const { page, stage } = scene;
  page.step("Start a relay, which carries what it can neither read nor change");
  page.command(`cd ${typed([stage.folder])}`);
  page.command(`export PATH=${typed([BIN])}:$PATH KEYBOUND_HOME=$PWD/home`);
  await scene.serve("relay", { ...RELAY, args: ["serve", "--state", "relay", "--listen", "127.0.0.1:0"] });
  page.command("cat relay.out");
  page.answer(stage.read("relay.out"));
  const url = found(/listening on (\S+)/, stage.read("relay.out"));
  const claim = found(/claim code: (\S+)/, stage.read("relay.out"));

  page.step("Create the first signature key, and with it the organisation");
  page.say("The passphrase would be in Ada's head. For this try it is random, in a file that goes with the folder.");
  writeFileSync(stage.path("passphrase"), `${toCrockford(randomBytes(20), PASSPHRASE_CHARS)}\n`, { mode: 0o600 });
  const init = ["init", "--relay", url, "--claim", claim, "--org", "Acme", "--name", "Ada", "--acknowledge"];
  await scene.run("keybound", [...init, "--no-recovery-file", ...PASSPHRASE]);

  page.step("Make a deployment package, and bind this machine with it");
  await scene.package();
  await scene.bind("desk");
  await scene.agentOn("desk", "enrolment sent");
}

/** Runs a job, shows its receipt, and answers its id. */
async function runRealJob(scene: Scene): Promise<string> {
  const { page, stage } = scene;
  page.step("Run a signed job on it");
  page.say(`It also leaves a line in ${TRACE}, so that running it twice would show.`);
  const command = `uname -a; echo ran >> ${stage.path(TRACE)}`;
  await scene.run("keybound", ["run", "--all", ...PASSPHRASE, "--", command]);
  if (linesOf(scene, TRACE) !== 1) throw new StoryFailed(`the job ran ${linesOf(scene, TRACE)} times`);

  page.step("Read the receipt, which proves what happened");
  const { stdout } = await scene.run("keybound", ["jobs"]);
  const job = found(/^([\w-]{22}) /m, stdout);
  const shown = await scene.run("keybound", ["job", "show", job]);
  if (!/: exited 0$/m.test(shown.stdout) || !/^receipt /m.test(shown.stdout))
    throw new StoryFailed("the job has no verified receipt that says exited 0");
  page.good("verified: signed by the device's key, in its place in the device's chain, for exactly this job");
  return job;
}

/** Plays every attack on the device, and answers its name. */
async function besiege(scene: Scene, job: string, attacks: readonly Attack[]): Promise<string> {
  scene.page.line(
    "\nNow somebody has stolen Ada's home folder and taken over the relay. They can read, delay, copy and",
  );
  scene.page.line("deliver whatever they like, and seal it for any device. What they do not have is a signature key.");
  using attacker = await Attacker.logIn(scene.stage.path("home"));
  const desk = attacker.device(scene.deviceOf("desk")).name;
  const off = () => scene.agentOff("desk");
  const on = () => scene.agentOn("desk", "connected");
  for (const attack of attacks) await survive({ scene, attacker, desk, job, off, on }, attack);
  return desk;
}

async function survive(siege: Siege, { title, code, play }: Attack): Promise<void> {
  siege.scene.page.step(title);
  expectRefused(await play(siege), code);
  siege.scene.page.good(`refused: ${code}`);
}

/** Nothing of what was refused left a trace, and the journal has one job accepted and each refusal in its order. */
async function lookBack(scene: Scene, attacks: readonly Attack[]): Promise<void> {
  const { page, stage } = scene;
  page.step("Look at what the device did with all that");
  await scene.run("keybound-agent", ["journal", "--state", "desk", "--verify"]);
  const { stdout } = await stage.run("keybound-agent", ["journal", "--state", "desk", "--json", "--last", "1000"]);
  const entries = stdout.trimEnd().split("\n").map(readEntry);
  const accepted = entries.filter(({ type }) => type === "accepted").length;
  const refused = entries.flatMap(({ type, code }) => (type === "refused" ? [code] : []));
  if (accepted !== 1) throw new StoryFailed(`the device accepted ${accepted} jobs, one was to be run`);
  const expected = attacks.map(({ code }) => code);
  if (refused.join() !== expected.join())
    throw new StoryFailed(`the journal has the refusals ${refused.join(", ")}, expected were ${expected.join(", ")}`);
  if (linesOf(scene, TRACE) !== 1) throw new StoryFailed(`the real job ran ${linesOf(scene, TRACE)} times`);
  for (const { marker } of attacks)
    if (marker !== undefined && existsSync(stage.path(marker))) throw new StoryFailed(`the refused job made ${marker}`);
  page.good(`1 job accepted, and run once; ${refused.length} refused, of which nothing ran`);
}

const Line = v.looseObject({ entry: v.string() });
const Entry = v.looseObject({ type: v.string(), code: v.optional(v.string()) });

function readEntry(line: string): v.InferOutput<typeof Entry> {
  return v.parse(Entry, JSON.parse(v.parse(Line, JSON.parse(line)).entry));
}

function linesOf({ stage }: Scene, file: string): number {
  const path = join(stage.folder, file);
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
}

function found(pattern: RegExp, text: string): string {
  const value = pattern.exec(text)?.[1];
  if (value === undefined) throw new StoryFailed(`nothing like ${pattern} in: ${text.trim()}`);
  return value;
}
