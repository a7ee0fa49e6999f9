// `keybound key recover`: a new signature key by the recovery file, with nobody's approval; the file is used up and a new one is made.
import type { KeyLogState, Operator } from "../../protocol/key-state.ts";
import { SETUP_SECRET_BYTES } from "../../protocol/passphrase.ts";
import { pinOf } from "../../protocol/pin.ts";
import { toBase64url } from "../../protocol/bytes.ts";
import { renewAccess } from "../unlock/access.ts";
import { appendKeyEvent } from "../keys/append-key.ts";
import { askSecret } from "../ask.ts";
import { Cache } from "../home/cache.ts";
import { acknowledge, choosePassphrase } from "../passphrase/choose-passphrase.ts";
import { type Desk, folderOf, openDesk, print, printJson, say } from "../desk.ts";
import { endHolder } from "../holder/held-keys.ts";
import { Fault } from "../fault.ts";
import { hasHome, makeAccessSeeds, openHome, writeHome } from "../home/home.ts";
import { keyringOf, statementSigner } from "../unlock/keyring.ts";
import { entryOf, makeKey, type MadeKey, nextGeneration, recoveryField } from "../keys/new-key.ts";
import { dialNewcomer, throwAwaySigner } from "../connection/newcomer.ts";
import { proxyToKeep } from "../connection/proxy-wishes.ts";
import { givenPassphrase } from "../passphrase/passphrase-input.ts";
import { removePending } from "../home/pending-request.ts";
import {
  newRecoveryPath,
  planRecovery,
  type RecoveryPlan,
  recoveryWords,
  writeRecovery,
} from "../keys/plan-recovery.ts";
import { type OpenedRecovery, openRecovery, readRecoveryBytes } from "../keys/recovery-file.ts";
import { joinLog } from "../keys/request-key.ts";
import { SETUP_CODE_WORDS, setupCodeOf, showSetupQr } from "../keys/setup-words.ts";
import { isAtTerminal, type World } from "../world.ts";
import { CANNOT_BE_RESTORED, checkedRelay, type NewKeyOptions } from "./init.ts";

export type RecoverOptions = NewKeyOptions & { readonly filePassphraseFile?: string; readonly relay?: string };

export async function recoverKey(world: World, file: string, options: RecoverOptions): Promise<void> {
  const opened = await openRecovery(readRecoveryBytes(file), await filePassphrase(world, options));
  const place = placeOf(world, options, opened);
  const { owner } = opened;
  say(
    world,
    `This file gives ${owner.name} of ${owner.organisation} a new key. The present one ends, with the jobs that it has queued.`,
  );
  const own = await registered(world, place, opened);
  const next = await nextKey(world, options, { place, own });
  await writeNext(world, { place, own, next });
  const state = await appendRecovery(world, { place, own, next, opened });
  using desk = openDesk(world, options);
  await renewAccess(desk, state, keyringOf(next.made.keys));
  await endHolder(desk.home, world);
  removePending(place.folder);
  await report(desk, { place, state, next, name: own.operator.name, old: file });
}

type Next = { readonly made: MadeKey; readonly recovery: RecoveryPlan };
type Recovering = { readonly place: Place; readonly own: Registered; readonly next: Next };

/** The new passphrase and the next recovery file, as a person is asked for them, and the key. */
async function nextKey(
  world: World,
  options: RecoverOptions,
  { place, own }: Pick<Recovering, "place" | "own">,
): Promise<Next> {
  const { state, operator } = own;
  const { setupSecret } = place;
  const mode = setupSecret === undefined ? "passphrase" : "setup";
  if (mode === "passphrase" && !state.policy.passphraseOnly) throw new Fault("passphrase-only-forbidden", state.name);
  const known = [state.name, operator.name];
  const rule = { mode, known } as const;
  const passphrase = await choosePassphrase(world, { given: givenPassphrase(options), rule, title: "New passphrase" });
  await acknowledge(world, { lines: CANNOT_BE_RESTORED, acknowledged: options.acknowledge });
  const recoveryFile = options.recoveryFile ?? newRecoveryPath(world);
  const recovery = await planRecovery(world, { ...options, recoveryFile }, known);
  if (recovery === undefined) throw new Fault("recovery-needed", "a recovery always makes the next file");
  const generation = nextGeneration(state, operator.operator);
  return { made: await makeKey(passphrase, { operator: operator.operator, generation, setupSecret }), recovery };
}

/** File and home are on the disk before the key is registered: whatever ends this here, one of both keys works. */
async function writeNext(world: World, { place, own, next }: Recovering): Promise<void> {
  const { folder, relay, setupSecret } = place;
  const { state, operator: person } = own;
  const { operator, name } = person;
  const { tenant, name: organisation } = state;
  await writeRecovery(next.recovery, { organisation, name, relay, tenant, operator, madeAt: world.now() });
  const mode = setupSecret === undefined ? "passphrase" : "setup";
  writeHome(folder, {
    config: { version: 1, tenant, organisation, operator, name, relay, mode, ...proxyToKeep(world) },
    setupSecret,
    ...(place.hasHome ? {} : { access: makeAccessSeeds(world.random) }),
  });
}

/** By the recovery key, the new key and the next recovery key. Answers the log's state after it. */
async function appendRecovery(
  world: World,
  { place, own, next, opened }: Recovering & { readonly opened: OpenedRecovery },
): Promise<KeyLogState> {
  const { relay, folder } = place;
  const now = world.now();
  const { name, role } = own.operator;
  const { made, recovery } = next;
  const key = entryOf(made, { name, role, now, recovery: recoveryField(recovery.key) });
  const signers = [opened.signer, made.keys.signer, recovery.key.signer].map(statementSigner);
  using cache = new Cache(folder);
  using newcomer = await dialNewcomer(world, relay, { tenant: own.state.tenant, signer: throwAwaySigner(world), now });
  const desk = { folder, client: newcomer.client, cache, now, state: own.state };
  await appendKeyEvent(desk, () => ({ change: { type: "operator.recover", key }, signers }));
  return desk.state;
}

async function filePassphrase(world: World, { filePassphraseFile }: RecoverOptions): Promise<string> {
  const given = givenPassphrase(filePassphraseFile === undefined ? {} : { passphraseFile: filePassphraseFile });
  if (given !== undefined) return given;
  if (!isAtTerminal(world))
    throw new Fault("passphrase-needed", "--file-passphrase-file FILE: the recovery file's own passphrase");
  return await askSecret(world, "Passphrase of the recovery file:");
}

type Place = {
  /** Whether the setup secret is new, so that its code has to be shown. */
  readonly isNewSecret: boolean;
  readonly folder: string;
  readonly relay: string;
  readonly hasHome: boolean;
  readonly setupSecret: Uint8Array | undefined;
};

/** The home of the file's owner, or where one will be. Throws `home-exists` for somebody else's. */
function placeOf(world: World, options: RecoverOptions, { owner }: OpenedRecovery): Place {
  const folder = folderOf(world, options);
  const isNew = !hasHome(folder);
  const home = isNew ? undefined : openHome(folder, world.platform);
  if (home !== undefined && (home.config.tenant !== owner.tenant || home.config.operator !== owner.operator)) {
    throw new Fault(
      "home-exists",
      `${folder} is ${home.config.name}'s, the file ${owner.name}'s of ${pinOf(owner.tenant)}`,
    );
  }
  const { relay } = checkedRelay(options.relay ?? home?.config.relay ?? owner.relay);
  const secret = home?.setupSecret ?? world.random(SETUP_SECRET_BYTES);
  const setupSecret = options.passphraseOnly === true ? undefined : secret;
  const isNewSecret = setupSecret !== undefined && home?.setupSecret === undefined;
  return { folder, relay, hasHome: !isNew, setupSecret, isNewSecret };
}

type Registered = { readonly state: KeyLogState; readonly operator: Operator };

/** Whether the log, as it is now, has this recovery key for its owner. Throws `recovery-dead`. */
async function registered(
  world: World,
  { folder, relay }: Place,
  { owner, signer }: OpenedRecovery,
): Promise<Registered> {
  using joined = await joinLog(world, { folder, relay, tenant: owner.tenant });
  const { state } = joined;
  const operator = state.operators.find((one) => one.operator === owner.operator);
  if (operator === undefined) throw new Fault("key-not-active", `${owner.name} is no operator any more`);
  if (operator.recovery !== toBase64url(signer.publicKey)) throw new Fault("recovery-dead", owner.name);
  return { state, operator };
}

type Recovered = {
  readonly place: Place;
  readonly state: KeyLogState;
  readonly next: Next;
  readonly name: string;
  readonly old: string;
};

async function report({ world, options }: Desk, { place, state, next, name, old }: Recovered): Promise<void> {
  const { made, recovery } = next;
  // A home that was there has its setup secret still, and its code on paper.
  const setupCode = place.isNewSecret ? setupCodeOf(state.tenant, made.setupSecret) : undefined;
  if (options.json === true) {
    const code = setupCode === undefined ? {} : { setupCode };
    return printJson(world, { name, home: place.folder, keyLog: state.head, recoveryFile: recovery.path, ...code });
  }
  print(world, `${name}'s new key is active, entry ${state.head.seq} of the key log; the old one ended.`);
  if (state.policy.recoveryDelayMs > 0) print(world, delayWords(state.policy.recoveryDelayMs));
  if (setupCode !== undefined) print(world, `setup code  ${setupCode}`);
  await showSetupQr(world, setupCode);
  if (setupCode !== undefined) print(world, SETUP_CODE_WORDS);
  print(world, `${old} does nothing any more. ${recoveryWords(recovery)}`);
  print(world, "next: keybound status shows which devices have heard of it");
}

function delayWords(delayMs: number): string {
  const hours = Math.ceil(delayMs / 3_600_000);
  return `By policy it signs jobs on a device ${hours} h after the device has heard of it; an admin may revoke it until then.`;
}
