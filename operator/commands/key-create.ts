// `keybound key create`, `forgot` and `request`: a person without a key asks for one, and waits to be approved.
import { fromBase64url, toBase64url } from "../../protocol/bytes.ts";
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import { longCode } from "../../protocol/key-approval.ts";
import { readKeyRequest } from "../../protocol/key-request.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { SETUP_SECRET_BYTES } from "../../protocol/passphrase.ts";
import { thumbprint } from "../../protocol/signature.ts";
import { askYes, confirmed } from "../ask.ts";
import { checkedPin, findTenant, followKeyLog } from "../connection/newcomer.ts";
import { type Desk, folderOf, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { hasHome } from "../home/home.ts";
import { type PendingRequest, readPending, removePending } from "../home/pending-request.ts";
import { awaitApproval, type Outcome } from "../keys/await-approval.ts";
import { makeKey, type MadeKey, nextGeneration } from "../keys/new-key.ts";
import { adminNames, findOperator } from "../keys/people.ts";
import { planRecovery, recoveryWords } from "../keys/plan-recovery.ts";
import { fileRequest, joinLog, writeRequest } from "../keys/request-key.ts";
import { SETUP_CODE_WORDS, setupCodeOf, showSetupQr } from "../keys/setup-words.ts";
import { acknowledge, choosePassphrase } from "../passphrase/choose-passphrase.ts";
import { givenPassphrase, readPassphrase } from "../passphrase/passphrase-input.ts";
import type { KeyMode } from "../passphrase/strength.ts";
import { renewAccess } from "../unlock/access.ts";
import { keyringOf } from "../unlock/keyring.ts";
import { patienceOf } from "../wait-for.ts";
import { isAtTerminal, type World } from "../world.ts";
import { CANNOT_BE_RESTORED, checkedName, checkedRelay, type NewKeyOptions } from "./init.ts";

export type WaitOptions = { readonly wait?: boolean; readonly waitTimeout?: number };
export type CreateOptions = NewKeyOptions &
  WaitOptions & { readonly relay: string; readonly pin: string; readonly name?: string; readonly operator?: string };
export type ForgotOptions = NewKeyOptions & WaitOptions;
export type RequestOptions = WaitOptions & NewKeyOptions & { readonly cancel?: boolean };

/** Somebody new, or somebody known on a machine without their home. */
export async function createKey(world: World, options: CreateOptions): Promise<number> {
  const folder = folderOf(world, options);
  if (hasHome(folder)) throw new Fault("home-exists", folder);
  const { relay } = checkedRelay(options.relay);
  const tenant = await findTenant(world, relay, checkedPin(options.pin));
  const wanted = await askedFor(world, options, { folder, relay, tenant });
  return await askAndWait(world, options, { ...wanted, folder, relay, hasHome: false });
}

async function askedFor(
  world: World,
  options: CreateOptions,
  place: { readonly folder: string; readonly relay: string; readonly tenant: string },
): Promise<Pick<Person, "state" | "name" | "operator" | "setupSecret">> {
  using joined = await joinLog(world, place);
  const { state } = joined;
  const known = options.operator === undefined ? undefined : findOperator(state, options.operator);
  const name = options.name ?? known?.name;
  if (name === undefined) throw new Fault("misuse", "--name NAME, or --operator NAME for the key of somebody known");
  const operator = known?.operator ?? toBase64url(world.random(16));
  const setupSecret = options.passphraseOnly === true ? undefined : world.random(SETUP_SECRET_BYTES);
  return { state, name: checkedName("--name", name), operator, setupSecret };
}

/** Somebody with a home who does not know the passphrase any more, or whose key was revoked. */
export async function forgotKey(world: World, options: ForgotOptions): Promise<number> {
  const place = await homePlace(world, options);
  say(world, "If you have a recovery file, it gives you a new key without anybody: keybound key recover FILE");
  const { state, operator } = place;
  const isKnown = state.operators.some((one) => one.operator === operator);
  const asks = isKnown ? "Your present key goes on until then." : "You have no key at present.";
  await confirmed(world, options.yes, `${adminNames(state)} can approve a new key for you. ${asks} Ask for one?`);
  const { setupSecret = world.random(SETUP_SECRET_BYTES), ...rest } = place;
  const own = options.passphraseOnly === true ? undefined : setupSecret;
  return await askAndWait(world, options, { ...rest, setupSecret: own, hasHome: true });
}

async function homePlace(world: World, options: ForgotOptions) {
  using desk = openDesk(world, options);
  const state = await followKeyLog(desk);
  const { folder, config, setupSecret } = desk.home;
  const { relay, operator, name } = config;
  return { state, folder, relay, operator, name, ...(setupSecret === undefined ? {} : { setupSecret }) };
}

type Person = {
  readonly folder: string;
  readonly relay: string;
  readonly state: KeyLogState;
  readonly name: string;
  readonly operator: string;
  readonly setupSecret: Uint8Array | undefined;
  readonly hasHome: boolean;
};

async function askAndWait(world: World, options: ForgotOptions, person: Person): Promise<number> {
  const { state, operator, setupSecret } = person;
  const mode: KeyMode = setupSecret === undefined ? "passphrase" : "setup";
  if (mode === "passphrase" && !state.policy.passphraseOnly) throw new Fault("passphrase-only-forbidden", state.name);
  const known = [state.name, person.name, new URL(person.relay).hostname];
  const rule = { mode, known };
  const passphrase = await choosePassphrase(world, { given: givenPassphrase(options), rule, title: "New passphrase" });
  await acknowledge(world, { lines: CANNOT_BE_RESTORED, acknowledged: options.acknowledge });
  const recovery = await planRecovery(world, options, known);
  const made = await makeKey(passphrase, { operator, generation: nextGeneration(state, operator), setupSecret });
  const isKnown = state.operators.some((one) => one.operator === operator);
  const request = await writeRequest(world, { ...person, made, recovery, purpose: isKnown ? "replace" : "add" });
  const setupCode = setupCodeOf(state.tenant, setupSecret);
  if (options.json !== true) {
    sayAsked(world, { request, state, setupCode });
    await showSetupQr(world, setupCode);
    say(world, recoveryWords(recovery));
  }
  using desk = openDesk(world, options);
  const outcome = await waitFor(desk, options, made);
  return report(desk, outcome, { request, setupCode });
}

function sayAsked(
  world: World,
  {
    request,
    state,
    setupCode,
  }: { readonly request: string; readonly state: KeyLogState; readonly setupCode: string | undefined },
): void {
  print(world, `code        ${longCode(request)}`);
  if (setupCode !== undefined) print(world, `setup code  ${setupCode}\n`);
  if (setupCode !== undefined) print(world, SETUP_CODE_WORDS);
  print(
    world,
    `Call ${adminNames(state)}, who runs keybound key approve. While you wait here, six digits are enough; keep the code for\nwhen you are not both at your machines.`,
  );
}

async function waitFor(desk: Desk, options: WaitOptions, made: MadeKey): Promise<Outcome> {
  const { config, folder } = desk.home;
  const pending = pendingOf(folder);
  const { tenant, relay } = config;
  using newcomer = await fileRequest(desk.world, { relay, tenant, made, bytes: pending.bytes });
  if (options.wait === false) return { type: "waiting" };
  say(desk.world, "waiting to be called; Ctrl-C leaves the request where it is");
  using patience = patienceOf(desk.world, options.waitTimeout);
  const wanted = { request: idOf(pending), key: made.keys.signer.key, pending };
  const outcome = await awaitApproval(desk, newcomer.client, { wanted, patience: patience.signal });
  if (outcome.type === "approved") await takeUp(desk, outcome, made);
  return outcome;
}

function pendingOf(folder: string): PendingRequest {
  const pending = readPending(folder);
  if (pending === undefined) throw new Fault("request-none", folder);
  return pending;
}

function idOf({ bytes }: PendingRequest): string {
  return statementId(readEnvelope(bytes));
}

/** The key is active: this client gives itself access, once its person says that it was the admin who called. */
async function takeUp(
  desk: Desk,
  { state, calledBy }: Extract<Outcome, { type: "approved" }>,
  made: MadeKey,
): Promise<void> {
  const { world, home } = desk;
  if (calledBy !== undefined && isAtTerminal(world)) {
    const isSure = await askYes(world, `Your key is approved. Did ${calledBy} tell you that the digits were right?`);
    if (!isSure) {
      throw new Fault(
        "not-confirmed",
        "tell your admins: somebody approved this key, and it was not over the telephone with you",
      );
    }
  }
  await renewAccess(desk, state, keyringOf(made.keys));
  removePending(home.folder);
}

/** Answers the exit code: 1 for a rejection. */
function report(
  { world, options, home }: Desk,
  outcome: Outcome,
  { request, setupCode }: { readonly request: string; readonly setupCode: string | undefined },
): number {
  const { operator, name, organisation } = home.config;
  if (options.json === true) {
    const codes = setupCode === undefined ? {} : { setupCode };
    const code = longCode(request);
    printJson(world, { state: outcome.type, operator, name, organisation, code, home: home.folder, ...codes });
  } else if (outcome.type === "approved")
    print(world, `${name}'s key is active in ${organisation}. next: keybound status`);
  else if (outcome.type === "waiting")
    say(world, "the request waits; keybound key request shows its code and waits to be called");
  else say(world, new Fault("request-rejected", "").sentence);
  return outcome.type === "rejected" ? 1 : 0;
}

/** The request of this home: its code, and another wait for the call; or its end. */
export async function ownRequest(world: World, options: RequestOptions): Promise<number> {
  using desk = openDesk(world, options);
  const pending = pendingOf(desk.home.folder);
  const { request } = readKeyRequest(pending.bytes, () => undefined);
  const id = idOf(pending);
  if (options.json !== true) print(world, `code  ${longCode(id)}`);
  const passphrase = await readPassphrase(world, options);
  const made = await madeAgain(desk, { passphrase, sig: request.sig });
  if (options.cancel === true) return await cancel(desk, made, pending);
  return report(desk, await waitFor(desk, options, made), { request: id, setupCode: undefined });
}

async function cancel(desk: Desk, made: MadeKey, { bytes }: PendingRequest): Promise<number> {
  const { tenant, relay, operator } = desk.home.config;
  using newcomer = await fileRequest(desk.world, { relay, tenant, made, bytes });
  await newcomer.client.ask("ok", { type: "withdraw-request" });
  removePending(desk.home.folder);
  if (desk.options.json === true) printJson(desk.world, { state: "cancelled", operator });
  else print(desk.world, "the request is withdrawn");
  return 0;
}

/** The key that was asked for, from the passphrase; its generation is one of the next few. Throws `passphrase-wrong`. */
async function madeAgain(
  { home, cache }: Desk,
  { passphrase, sig }: { readonly passphrase: string; readonly sig: string },
): Promise<MadeKey> {
  const { operator } = home.config;
  const state = cache.keyState();
  const last = state === undefined ? 0 : nextGeneration(state, operator);
  const wanted = thumbprint(fromBase64url(sig) ?? new Uint8Array(0));
  const made = await makeKey(passphrase, { operator, generation: 0, setupSecret: home.setupSecret });
  const found = Array.from({ length: last + 1 }, (_, back) => made.again(last - back)).find(
    ({ keys }) => keys.signer.key === wanted,
  );
  if (found === undefined) throw new Fault("passphrase-wrong", "");
  return found;
}
