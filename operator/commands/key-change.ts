// `keybound key change` and `recovery-file`: acts of a person on their own key, by that key.
import { renewAccess } from "../unlock/access.ts";
import { appendKeyEvent } from "../keys/append-key.ts";
import { askYes } from "../ask.ts";
import { acknowledge, choosePassphrase } from "../passphrase/choose-passphrase.ts";
import { type CommonOptions, openDesk, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { endHolder } from "../holder/held-keys.ts";
import { afterKeyEvent, keyDeskOf, type WaitHeardOptions } from "../keys/key-act.ts";
import { keyringOf, statementSigner } from "../unlock/keyring.ts";
import { entryOf, makeKey, type MadeKey, nextGeneration, recoveryField } from "../keys/new-key.ts";
import { givenPassphrase } from "../passphrase/passphrase-input.ts";
import {
  planRecovery,
  type RecoveryOptions,
  type RecoveryPlan,
  recoveryWords,
  writeRecovery,
} from "../keys/plan-recovery.ts";
import { foldNames } from "../present/fold.ts";
import { queuedJobs, signAgain, withdraw } from "../jobs/resign-queued.ts";
import { openSession, type Session } from "../connection/session.ts";
import { openUnlocked, type Unlocked } from "../unlock/unlock.ts";
import { ownOperator } from "../unlock/unlock-typed.ts";
import { isAtTerminal, type World } from "../world.ts";
import { CANNOT_BE_RESTORED, type NewKeyOptions } from "./init.ts";

export type ChangeOptions = NewKeyOptions &
  WaitHeardOptions & { readonly newPassphraseFile?: string; readonly queued?: "resign" | "drop" };

export async function changeKey(world: World, options: ChangeOptions): Promise<void> {
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  const { home } = desk;
  const own = ownOperator(session.state, home.config.operator);
  const known = [home.config.organisation, own.name];
  const given =
    options.newPassphraseFile === undefined
      ? undefined
      : givenPassphrase({ passphraseFile: options.newPassphraseFile });
  const passphrase = await choosePassphrase(world, {
    given,
    rule: { mode: home.config.mode, known },
    title: "New passphrase",
  });
  await acknowledge(world, { lines: CANNOT_BE_RESTORED, acknowledged: options.acknowledge });
  // A recovery file that is there stays good, so that nothing is asked for it unless a new one is wanted.
  const wantsFile = typeof options.recoveryFile === "string" || own.recovery === undefined;
  const recovery = wantsFile ? await planRecovery(world, options, known) : undefined;
  const generation = nextGeneration(session.state, own.operator);
  const made = await makeKey(passphrase, { operator: own.operator, generation, setupSecret: home.setupSecret });
  await writeFor(session, recovery);
  await appendChange(unlocked, made, recovery);
  await endHolder(home, world);
  await goOn(unlocked, made, { options, oldKey: own.key, recovery });
}

async function writeFor({ desk, state, now }: Session, recovery: RecoveryPlan | undefined): Promise<void> {
  const { name, organisation, relay, operator } = desk.home.config;
  await writeRecovery(recovery, { organisation, name, relay, tenant: state.tenant, operator, madeAt: now });
}

async function appendChange(
  { session, keys }: Unlocked,
  made: MadeKey,
  recovery: RecoveryPlan | undefined,
): Promise<void> {
  const files = recovery === undefined ? [] : [recovery.key.signer];
  const signers = [keys, ...[made.keys.signer, ...files].map(statementSigner)];
  await appendKeyEvent(keyDeskOf(session), (state) => {
    const { name, role, recovery: kept } = ownOperator(state, made.operator);
    const key = entryOf(made, { name, role, now: session.now, recovery: recoveryField(recovery?.key) ?? kept });
    return { change: { type: "operator.change", key, jobs: "keep" }, signers };
  });
}

type Changed = {
  readonly options: ChangeOptions;
  readonly oldKey: string;
  readonly recovery: RecoveryPlan | undefined;
};

/** The relay ends what the old key had opened; the new one gives this client its access again, and goes on. */
async function goOn(
  { session: before }: Unlocked,
  made: MadeKey,
  { options, oldKey, recovery }: Changed,
): Promise<void> {
  const { desk, state } = before;
  const keys = keyringOf(made.keys);
  await renewAccess(desk, state, keys);
  using session = await openSession(desk);
  const unlocked = { session, keys };
  const place = state.head;
  const resigned = await settleQueued(unlocked, oldKey, options.queued);
  const stays = recovery === undefined ? "A recovery file that you had stays good." : recoveryWords(recovery);
  const done = `your new key is active; the old one ended. ${stays}`;
  await afterKeyEvent(unlocked, {
    appended: { type: "appended", place },
    done,
    options,
    json: { operator: made.operator, resigned },
  });
}

/** What happens to jobs that devices have not got; how many were signed again. */
async function settleQueued(unlocked: Unlocked, oldKey: string, queued: ChangeOptions["queued"]): Promise<number> {
  const { session } = unlocked;
  const { world } = session.desk;
  const jobs = await queuedJobs(session, oldKey);
  if (jobs.length === 0) return 0;
  const names = foldNames([...new Set(jobs.flatMap(({ left }) => left.map(({ name }) => name)))]);
  say(world, `${jobs.length} of your jobs wait for ${names}; devices refuse them under the old key.`);
  const again =
    queued === undefined ? isAtTerminal(world) && (await askYes(world, "Sign them again?", true)) : queued === "resign";
  await (again ? signAgain(unlocked, jobs) : withdraw(session, jobs));
  say(world, again ? "signed again, for those devices and until their old end" : "taken back");
  return again ? jobs.length : 0;
}

export type RecoveryFileOptions = CommonOptions & RecoveryOptions & WaitHeardOptions & { readonly end?: boolean };

/** A new recovery file; the one before is dead from then on. With `end`, there is none. */
export async function recoveryFile(world: World, options: RecoveryFileOptions): Promise<void> {
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  const { operator, organisation, name } = desk.home.config;
  if (ownOperator(session.state, operator).recovery !== undefined)
    say(world, "The recovery file that you have is dead from then on.");
  const recovery = options.end === true ? undefined : await planRecovery(world, options, [organisation, name]);
  if (recovery === undefined && options.end !== true) throw new Fault("not-confirmed", "no recovery file was made");
  await writeFor(session, recovery);
  const field = recoveryField(recovery?.key);
  const appended = await appendKeyEvent(keyDeskOf(session), () => ({
    change: { type: "operator.recovery", operator, ...(field === undefined ? {} : { recovery: field }) },
    signers: [unlocked.keys, ...(recovery === undefined ? [] : [statementSigner(recovery.key.signer)])],
  }));
  const done = recovery === undefined ? "there is no recovery file any more" : recoveryWords(recovery);
  await afterKeyEvent(unlocked, { appended, done, options, json: { recoveryFile: recovery?.path ?? null } });
}
