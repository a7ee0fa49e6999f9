// The operator's client is killed at each step of an act on keys: afterwards there is one key that works, the old one or the new, and the act can
// be done again.
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAIN, type Ran, runProgram } from "../operator/house.ts";
import { Company } from "./company.ts";

const SLOW = 1_500_000;
const KILL_AT = join(import.meta.dirname, "kill-at.mjs");
const NEW = "violin harbor twelve gravel onion sprout";

let acme: Company;
let pin = "";

beforeAll(async () => {
  acme = await Company.open();
  pin = await acme.found("ada");
  acme.write("new", NEW);
  await keepAs("change");
}, SLOW);

afterAll(() => acme[Symbol.asyncDispose]());

const FOLDERS = ["ada", "relay"];

/** What the folders held before, put back; the relay begins with it. */
async function putBack(name: string): Promise<void> {
  await acme.stopRelay();
  for (const folder of [...FOLDERS, "ada.next"]) rmSync(acme.path(folder), { recursive: true, force: true });
  for (const left of ["ada.epoch-1", "next.age", "copy.json"])
    rmSync(acme.path(left), { recursive: true, force: true });
  for (const folder of FOLDERS) cpSync(acme.path(`${name}-${folder}`), acme.path(folder), { recursive: true });
  await acme.startRelay();
}

async function keepAs(name: string): Promise<void> {
  await acme.stopRelay();
  for (const folder of FOLDERS) cpSync(acme.path(folder), acme.path(`${name}-${folder}`), { recursive: true });
  await acme.startRelay();
}

function killed(args: readonly string[], at: number): Promise<Ran> {
  const env = { KEYBOUND_HOME: acme.path("ada"), KILL_AT: String(at), STEPS_FILE: acme.path("steps") };
  return runProgram("--import", [KILL_AT, MAIN, ...args], { env });
}

/** How many steps this act has, when nothing ends it. */
async function stepsOf(args: readonly string[]): Promise<number> {
  const ran = await killed(args, 0);
  if (ran.code !== 0) throw new Error(`ended with ${ran.code}: ${ran.stderr}`);
  return Number(readFileSync(acme.path("steps"), "utf8"));
}

/** Before everything, and after each act: what stands between two acts is one state. */
function pointsOf(steps: number): readonly number[] {
  return [1, ...Array.from({ length: Math.floor(steps / 2) }, (_, act) => 2 * (act + 1))];
}

async function unlocks(file: string): Promise<boolean> {
  const out = ["package", "--out", acme.path("any.json"), "--force", "--passphrase-file", acme.path(file)];
  const { code, stderr } = await acme.run("ada", out);
  if (code !== 0 && !stderr.includes("passphrase-wrong")) throw new Error(stderr);
  return code === 0;
}

const change = () => {
  const passphrases = ["--passphrase-file", acme.path("passphrase"), "--new-passphrase-file", acme.path("new")];
  return ["key", "change", ...passphrases, "--acknowledge", "--no-wait"];
};

/** By this recovery file, to this passphrase, with this file as the next. */
const recover = (file: string, passphrase: string, next: string) => {
  const given = ["--file-passphrase-file", acme.path("file-passphrase"), "--passphrase-file", acme.path(passphrase)];
  const files = ["--recovery-file", acme.path(next), "--recovery-passphrase-file", acme.path("file-passphrase")];
  return ["key", "recover", acme.path(file), ...given, ...files, "--acknowledge"];
};

const reset = (claim: string) => {
  const given = ["--passphrase-file", acme.path("passphrase"), "--no-recovery-file", "--copy", acme.path("copy.json")];
  return ["tenant", "reset", "--claim", claim, "--confirm", "Acme", "--acknowledge", ...given];
};

/** What a command said where it did not come good. */
const troubleOf = ({ code, stderr }: Ran) => (code === 0 ? "" : stderr);

/** The reset again, unless the one that was killed had come to its end. */
async function resetAgain(claim: string): Promise<string> {
  const isOver = existsSync(acme.path("ada.epoch-1")) && existsSync(acme.path("ada/config.json"));
  if (isOver) return "";
  rmSync(acme.path("copy.json"), { force: true });
  return troubleOf(await acme.run("ada", reset(claim)));
}

describe("killed at any step", () => {
  test(
    "of a change, the old passphrase unlocks or the new one, and not both",
    async () => {
      await putBack("change");
      const steps = await stepsOf(change());
      expect(steps).toBeGreaterThan(10);
      const outcomes: string[] = [];
      for (const at of pointsOf(steps)) {
        await putBack("change");
        await killed(change(), at);
        const [old, next] = [await unlocks("passphrase"), await unlocks("new")];
        expect([at, old !== next]).toEqual([at, true]);
        outcomes.push(next ? "new" : "old");
      }
      // It happens at one step: all before it leave the old key, all after it the new one.
      expect(outcomes.join(" ")).toMatch(/^(old )+(new ?)+$/);
    },
    SLOW,
  );

  test(
    "of a recovery, the old passphrase unlocks or the new one, and one of both files works",
    async () => {
      await putBack("change");
      const steps = await stepsOf(recover("ada.age", "new", "next.age"));
      for (const at of pointsOf(steps)) {
        await putBack("change");
        await killed(recover("ada.age", "new", "next.age"), at);
        const [old, next] = [await unlocks("passphrase"), await unlocks("new")];
        expect([at, old !== next]).toEqual([at, true]);
        rmSync(acme.path("third.age"), { force: true });
        const again = await acme.run("ada", recover(next ? "next.age" : "ada.age", "passphrase", "third.age"));
        expect([at, troubleOf(again)]).toEqual([at, ""]);
      }
    },
    SLOW,
  );

  test(
    "of a reset, the same command again ends it, and there is one home with one organisation",
    async () => {
      await putBack("change");
      const claim = await acme.claim(pin);
      await keepAs("reset");
      const steps = await stepsOf(reset(claim));
      for (const at of pointsOf(steps)) {
        await putBack("reset");
        await killed(reset(claim), at);
        expect([at, await resetAgain(claim)]).toEqual([at, ""]);
        expect([at, await unlocks("passphrase"), existsSync(acme.path("ada.next"))]).toEqual([at, true, false]);
        expect([at, existsSync(acme.path("ada/predecessor.json"))]).toEqual([at, true]);
        const { epoch }: { epoch: number } = await acme.reads("ada", "status");
        expect([at, epoch]).toEqual([at, 2]);
      }
    },
    SLOW,
  );
});
