// Whether, where and under which passphrase a recovery file is made: it comes with each new key unless that is declined in words.
import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { askLine, askYes } from "../ask.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { requireFree, writeWhole } from "../home/stored-file.ts";
import { choosePassphrase, type Rule } from "../passphrase/choose-passphrase.ts";
import { givenPassphrase } from "../passphrase/passphrase-input.ts";
import { isAtTerminal, type World } from "../world.ts";
import { makeRecoveryKey, type RecoveryKey, type RecoveryOwner, sealRecovery } from "./recovery-file.ts";

export type RecoveryOptions = {
  /** Where to write it; `false` for none. */
  readonly recoveryFile?: string | false;
  readonly recoveryPassphraseFile?: string;
};

/** A recovery key that is not on the disk yet, and where it will be. */
export type RecoveryPlan = { readonly key: RecoveryKey; readonly path: string; readonly passphrase: string };

const WHY = [
  "A recovery file lets you set a new key by yourself when you forget the passphrase. Without one an admin has to approve",
  "your next key, and where you are the only admin, the organisation is lost and every device has to be redeployed.",
];
const DECLINE = "no recovery file";

/** Asks what was not said. `undefined`: it was declined. Throws `recovery-needed` where nobody can be asked. */
export async function planRecovery(
  world: World,
  options: RecoveryOptions,
  known: readonly string[],
): Promise<RecoveryPlan | undefined> {
  if (options.recoveryFile === false) return undefined;
  const path = options.recoveryFile ?? (await wantedPath(world));
  if (path === undefined) return undefined;
  requireFree(resolve(path), false);
  const { recoveryPassphraseFile: passphraseFile } = options;
  const given = givenPassphrase(passphraseFile === undefined ? {} : { passphraseFile });
  const rule: Rule = { mode: "file", known };
  const passphrase = await choosePassphrase(world, { given, rule, title: "Passphrase of the recovery file" });
  return { key: makeRecoveryKey(world.random), path, passphrase };
}

async function wantedPath(world: World): Promise<string | undefined> {
  if (!isAtTerminal(world)) throw new Fault("recovery-needed", "");
  for (const line of WHY) say(world, line);
  if (await askYes(world, "Make a recovery file now?", true)) {
    const path = newRecoveryPath(world);
    say(world, `It will be ${path}, here. It gets a passphrase of its own, not the one of your key.`);
    return path;
  }
  const typed = await askLine(world, `To go without, type the words: ${DECLINE}`);
  if (typed.trim().toLowerCase() !== DECLINE) throw new Fault("not-confirmed", "nothing was made");
  return undefined;
}

/** A name of its own in the working folder. */
export function newRecoveryPath({ now, random }: World): string {
  return `keybound-recovery-${new Date(now()).toISOString().slice(0, 10)}-${random(3).toHex()}.age`;
}

/** Writes the file, before the key is registered: a file that no log knows does nothing. */
export async function writeRecovery(plan: RecoveryPlan | undefined, owner: RecoveryOwner): Promise<void> {
  const write = await sealedRecovery(plan, owner);
  write();
}

/** The same in two steps: sealing takes seconds, in which no relay is kept waiting. Answers what writes the file. */
export async function sealedRecovery(plan: RecoveryPlan | undefined, owner: RecoveryOwner): Promise<() => void> {
  if (plan === undefined) return () => undefined;
  const { key, path, passphrase } = plan;
  const sealed = await sealRecovery(key, { owner, passphrase });
  return () => writeWhole(resolve(path), sealed, { replace: false });
}

/** Takes the file back, for a key that was refused: it would open to nothing. */
export function removeRecovery(plan: RecoveryPlan | undefined): void {
  if (plan !== undefined) rmSync(resolve(plan.path), { force: true });
}

/** What to say of a plan when all is done. */
export function recoveryWords(plan: RecoveryPlan | undefined): string {
  return plan === undefined
    ? "There is no recovery file: keybound key recovery-file makes one."
    : `Recovery file: ${plan.path}. Keep it off this machine, apart from its passphrase.`;
}
