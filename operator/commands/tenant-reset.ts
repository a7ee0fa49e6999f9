// `keybound tenant reset`: nobody can sign any more, so the organisation begins anew at its next epoch. Says what is lost and what
// has to be done again, keeps a copy of what was signed, and has the relay retire what was.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { pinOf } from "../../protocol/pin.ts";
import type { Roster } from "../../protocol/roster.ts";
import { emptyRoster } from "../../protocol/roster.ts";
import { appendKeyEvent } from "../keys/append-key.ts";
import { askYes } from "../ask.ts";
import { type CommonOptions, folderOf, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { found } from "../tenant/found.ts";
import { finishTaking, hasHome, nextHome, openHome } from "../home/home.ts";
import { keyDeskOf } from "../keys/key-act.ts";
import type { MadeKey } from "../keys/new-key.ts";
import { checkedPin, findTenant } from "../connection/newcomer.ts";
import { hasUnfinished, takeNextHome } from "../home/next-home.ts";
import { recoveryWords } from "../keys/plan-recovery.ts";
import type { RecoveryPlan } from "../keys/plan-recovery.ts";
import { cosignCommand } from "../cosign/proposals.ts";
import { predecessorsOf, readPredecessors, writePredecessors } from "../home/predecessor.ts";
import { joinLog } from "../keys/request-key.ts";
import { openSession } from "../connection/session.ts";
import { SETUP_CODE_WORDS, setupCodeOf, showSetupQr } from "../keys/setup-words.ts";
import { copyOf, writeCopy } from "../tenant/tenant-copy.ts";
import { openUnlocked } from "../unlock/unlock.ts";
import { isAtTerminal, type World } from "../world.ts";
import { checkedName, checkedRelay, makeFirstKey, type NewKeyOptions } from "./init.ts";
import { confirmName } from "./tenant-close.ts";

export type ResetOptions = NewKeyOptions & {
  readonly claim: string;
  readonly relay?: string;
  readonly pin?: string;
  readonly name?: string;
  readonly copy?: string;
  /** The organisation's name in full, where nobody can be asked for it. */
  readonly confirm?: string;
  readonly oldPassphraseFile?: string;
};

/** The organisation as it was. */
type Old = {
  readonly state: KeyLogState;
  readonly roster: Roster;
  /** Where its operators dialled; the new tenant retires it only there. */
  readonly relay: string;
  readonly name: string;
};

export async function resetTenant(world: World, options: ResetOptions): Promise<void> {
  const folder = folderOf(world, options);
  if (finishTaking(folder)) return sayFinished(world, options, { folder, kept: undefined });
  if (await hasUnfinished(folder, world)) {
    keepFromCache(world, options, folder);
    return sayFinished(world, options, { folder, kept: takeNextHome(folder, epochBefore(folder)) });
  }
  const old = await oldTenant(world, options, folder);
  sayLoss(world, old);
  await confirmName(world, options, old.state.name);
  await closeFirst(world, options, old);
  const copy = keepCopy(world, options, old);
  const relay = options.relay === undefined ? old.relay : checkedRelay(options.relay).relay;
  const known = [old.state.name, old.name, new URL(relay).hostname];
  const { founder, recovery } = await makeFirstKey(world, options, known);
  const { state } = old;
  const tenant = await found(world, {
    folder: nextHome(folder),
    relay,
    claim: options.claim,
    organisation: state.name,
    name: old.name,
    founder,
    recovery,
    epoch: state.epoch + 1,
    supersedes: [...new Set([...state.supersedes, state.tenant])],
    // A relay that never had the old one has nothing to retire.
    ...(relay === old.relay ? { retires: state.tenant } : {}),
  });
  keepPredecessors(folder, old);
  const kept = takeNextHome(folder, state.epoch);
  await report(world, options, { folder, kept, tenant, old, founder, recovery, copy });
}

// --- What there was ---

async function oldTenant(world: World, options: ResetOptions, folder: string): Promise<Old> {
  if (!hasHome(folder)) return await oldByPin(world, options, folder);
  using desk = openDesk(world, options);
  const { relay, name } = desk.home.config;
  const current = await latest(desk);
  return { ...current, relay, name: options.name === undefined ? name : checkedName("--name", options.name) };
}

/** As the relay shows it now, or as this home knows it where it cannot log in any more. */
async function latest(desk: ReturnType<typeof openDesk>): Promise<Pick<Old, "state" | "roster">> {
  try {
    using session = await openSession(desk);
    return { state: session.state, roster: session.roster };
  } catch (error) {
    const state = desk.cache.keyState();
    if (state === undefined) throw error;
    say(
      desk.world,
      `the relay was not asked (${error instanceof Error ? error.message : "unknown"}): this is what this home knows`,
    );
    return { state, roster: desk.cache.roster(state.tenant) };
  }
}

/** Home and all are gone: the relay has the key log, and nobody has the roster. */
async function oldByPin(world: World, { relay, pin, name }: ResetOptions, folder: string): Promise<Old> {
  if (relay === undefined || pin === undefined || name === undefined) {
    throw new Fault(
      "home-missing",
      `${folder}; without it, --relay URL --pin PIN --name NAME say which organisation it is`,
    );
  }
  const place = { folder: mkdtempSync(join(tmpdir(), "keybound-log-")), relay: checkedRelay(relay).relay };
  const tenant = await findTenant(world, place.relay, checkedPin(pin));
  const state = await readOnce(world, { ...place, tenant });
  say(world, "There is no home folder here, so names, classes and groups of the devices are not known.");
  return { state, roster: emptyRoster(tenant), relay: place.relay, name: checkedName("--name", name) };
}

/** The key log, judged in a folder that goes again. */
async function readOnce(
  world: World,
  place: { readonly folder: string; readonly relay: string; readonly tenant: string },
): Promise<KeyLogState> {
  try {
    using joined = await joinLog(world, place);
    return joined.state;
  } finally {
    rmSync(place.folder, { recursive: true, force: true });
  }
}

// --- Before anything happens ---

function sayLoss(world: World, { state, roster }: Old): void {
  const lines = [
    `${state.name}, epoch ${state.epoch}, pin ${pinOf(state.tenant)}, is given up for a new organisation of the same name.`,
    "",
    "What is lost:",
    `- every signature key of ${state.operators.map(({ name }) => name).join(", ")}, and their recovery files`,
    `- its devices (${roster.devices.size}) are out of reach until each is redeployed, by an administrator of that device`,
    "- jobs that wait, and results that were not read",
    "What has to be done again under the new key:",
    `- groups (${roster.groups.size}), names and classes of devices: keybound tenant restore COPY signs them again`,
    "- the policy; other operators, who each create a key and are approved",
    "- what other software had settled by this organisation's keys: alerts, antivirus settings, update policies",
    "Do it only if no admin can sign and no recovery file is left: keybound key recover, keybound key forgot.",
  ];
  for (const line of lines) say(world, line);
}

/** Where an admin's key lives, it says so first: devices that hear it stop obeying the lost keys at once. */
async function closeFirst(world: World, options: ResetOptions, old: Old): Promise<void> {
  if (old.state.closed || !(await canSign(world, options))) return;
  const { passphraseFile: _new, passphraseFd: _fd, ...rest } = options;
  const given = options.oldPassphraseFile === undefined ? {} : { passphraseFile: options.oldPassphraseFile };
  using desk = openDesk(world, { ...rest, ...given });
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  const appended = await appendKeyEvent(keyDeskOf(session), () => ({
    change: { type: "tenant.close", reason: "the organisation is reset" },
    signers: [unlocked.keys],
  }));
  if (appended.type === "appended") return say(world, "closed: devices that hear of it take no more jobs");
  throw new Fault("close-few", cosignCommand(appended.proposal.slice(0, 10)));
}

async function canSign(world: World, options: ResetOptions): Promise<boolean> {
  if (options.oldPassphraseFile !== undefined) return true;
  if (!isAtTerminal(world) || !hasHome(folderOf(world, options))) return false;
  return await askYes(
    world,
    "Do you still know the passphrase of your present key? Then the organisation is closed by it first.",
  );
}

// --- What is kept ---

function keepCopy(world: World, options: ResetOptions, { state, roster }: Old): string {
  const path = resolve(options.copy ?? freeCopy(state));
  writeCopy(path, copyOf(state, roster, world.now()));
  return path;
}

function freeCopy({ name, epoch }: KeyLogState): string {
  const word = name.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  for (let n = 1; ; n++) {
    const path = `keybound-copy-${word}-epoch-${epoch}${n === 1 ? "" : `-${n}`}.json`;
    if (!existsSync(path)) return path;
  }
}

/** So that `keybound devices --redeploy` can say who has come over. */
function keepPredecessors(folder: string, { state, roster }: Pick<Old, "state" | "roster">): void {
  const before = hasHome(folder) ? readPredecessors(folder) : [];
  writePredecessors(nextHome(folder), [...before, predecessorsOf(state, roster)]);
}

/** The same for a reset that was interrupted before it came to this. */
function keepFromCache(world: World, options: ResetOptions, folder: string): void {
  if (!hasHome(folder)) return;
  using desk = openDesk(world, options);
  const state = desk.cache.keyState();
  if (state !== undefined) keepPredecessors(folder, { state, roster: desk.cache.roster(state.tenant) });
}

// --- When it is done ---

/** The relay had the new tenant already; only this home was not changed. */
function sayFinished(
  world: World,
  options: CommonOptions,
  { folder, kept }: { readonly folder: string; readonly kept: string | undefined },
): void {
  const { config } = openHome(folder, world.platform);
  const pin = pinOf(config.tenant);
  if (options.json === true) return printJson(world, { tenant: config.tenant, pin, home: folder, kept: kept ?? null });
  print(world, `the reset of ${config.organisation} is finished: its pin is ${pin}`);
  print(world, "next: keybound package");
}

function epochBefore(folder: string): number {
  return readPredecessors(nextHome(folder)).at(-1)?.epoch ?? 1;
}

type Reset = {
  readonly folder: string;
  readonly kept: string | undefined;
  readonly tenant: string;
  readonly old: Old;
  readonly founder: MadeKey;
  readonly recovery: RecoveryPlan | undefined;
  readonly copy: string;
};

async function report(world: World, options: ResetOptions, done: Reset): Promise<void> {
  const { folder, kept, tenant, old, founder, recovery, copy } = done;
  const setupCode = setupCodeOf(tenant, founder.setupSecret);
  const pin = pinOf(tenant);
  const epoch = old.state.epoch + 1;
  if (options.json === true) {
    const code = setupCode === undefined ? {} : { setupCode };
    const file = recovery === undefined ? {} : { recoveryFile: recovery.path };
    return printJson(world, {
      tenant,
      pin,
      epoch,
      operator: founder.operator,
      home: folder,
      kept: kept ?? null,
      copy,
      ...code,
      ...file,
    });
  }
  print(world, `${old.state.name} begins anew at epoch ${epoch}. ${old.name} is its first admin.\n`);
  print(world, `pin         ${pin}`);
  if (setupCode !== undefined) print(world, `setup code  ${setupCode}`);
  print(world, `copy        ${copy}`);
  if (kept !== undefined) print(world, `old home    ${kept}`);
  print(world, "");
  await showSetupQr(world, setupCode);
  if (setupCode !== undefined) print(world, SETUP_CODE_WORDS);
  print(world, recoveryWords(recovery));
  print(
    world,
    "next: keybound package makes the package with which each device is redeployed; keybound devices --redeploy shows",
  );
  print(world, `who has come over; keybound tenant restore ${copy} signs groups, classes and policy again`);
}
