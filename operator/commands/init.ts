// `keybound init`: the organisation's first signature key, and with it the organisation.
import * as v from "valibot";
import { Name } from "../../protocol/fields.ts";
import { pinOf } from "../../protocol/pin.ts";
import { readRelayUrl } from "../connection/relay-client.ts";
import { type CommonOptions, folderOf, print, printJson } from "../desk.ts";
import { Fault } from "../fault.ts";
import { hasHome } from "../home/home.ts";
import type { MadeKey } from "../keys/new-key.ts";
import { planRecovery, type RecoveryOptions, type RecoveryPlan, recoveryWords } from "../keys/plan-recovery.ts";
import { SETUP_CODE_WORDS, setupCodeOf, showSetupQr } from "../keys/setup-words.ts";
import { acknowledge, choosePassphrase } from "../passphrase/choose-passphrase.ts";
import { givenPassphrase } from "../passphrase/passphrase-input.ts";
import type { KeyMode } from "../passphrase/strength.ts";
import { makeFounder } from "../tenant/create-tenant.ts";
import { found } from "../tenant/found.ts";
import type { World } from "../world.ts";

export type NewKeyOptions = CommonOptions &
  RecoveryOptions & { readonly acknowledge?: boolean; readonly passphraseOnly?: boolean };

export type InitOptions = NewKeyOptions & {
  readonly relay: string;
  readonly claim: string;
  readonly org: string;
  readonly name: string;
};

/** What a person reads before a key is theirs. */
export const CANNOT_BE_RESTORED = [
  "Nobody can restore this passphrase: not us, not the relay, not a colleague. It is stored nowhere.",
  "If it is forgotten, this key signs nothing any more. Your recovery file, or an admin, then gives you a new key; where there is",
  "neither, the organisation has to be reset and every device redeployed.",
];

export async function init(world: World, options: InitOptions): Promise<void> {
  const folder = folderOf(world, options);
  const request = checkedRequest(options);
  if (hasHome(folder)) throw new Fault("home-exists", folder);
  const { founder, recovery } = await makeFirstKey(world, options, [request.org, request.name, request.host]);
  const { org: organisation, name, relay } = request;
  const { claim } = options;
  const epoch = { epoch: 1, supersedes: [] };
  const tenant = await found(world, { folder, relay, claim, organisation, name, founder, recovery, ...epoch });
  await report(world, options, { folder, tenant, request, founder, recovery });
}

/** A founder's key: passphrase, acknowledgement, recovery file, in the order in which a person is asked. */
export async function makeFirstKey(
  world: World,
  options: NewKeyOptions,
  known: readonly string[],
): Promise<{ readonly founder: MadeKey; readonly recovery: RecoveryPlan | undefined }> {
  const mode: KeyMode = options.passphraseOnly === true ? "passphrase" : "setup";
  const rule = { mode, known };
  const given = givenPassphrase(options);
  const passphrase = await choosePassphrase(world, { given, rule, title: "New passphrase" });
  await acknowledge(world, { lines: CANNOT_BE_RESTORED, acknowledged: options.acknowledge });
  const recovery = await planRecovery(world, options, known);
  return { founder: await makeFounder(passphrase, { mode, random: world.random }), recovery };
}

export type Request = { readonly relay: string; readonly host: string; readonly org: string; readonly name: string };

function checkedRequest({ relay, org, name }: InitOptions): Request {
  return { ...checkedRelay(relay), org: checkedName("--org", org), name: checkedName("--name", name) };
}

/** Throws `misuse` for what cannot be dialled. */
export function checkedRelay(relay: string): Pick<Request, "relay" | "host"> {
  const url = readRelayUrl(relay);
  if (url === undefined) throw new Fault("misuse", `--relay ${relay}: ws://HOST:PORT or wss://HOST[:PORT]`);
  return { relay: url, host: new URL(url).hostname };
}

/** Throws `misuse` for what a log cannot hold as a name. */
export function checkedName(option: string, value: string): string {
  if (!v.is(Name, value)) throw new Fault("misuse", `${option}: 1 to 64 printable characters`);
  return value;
}

type Founded = {
  readonly folder: string;
  readonly tenant: string;
  readonly request: Request;
  readonly founder: MadeKey;
  readonly recovery: RecoveryPlan | undefined;
};

async function report(
  world: World,
  options: InitOptions,
  { folder, tenant, request, founder, recovery }: Founded,
): Promise<void> {
  const code = setupCodeOf(tenant, founder.setupSecret);
  const pin = pinOf(tenant);
  if (options.json === true) {
    const { operator } = founder;
    const codes = code === undefined ? {} : { setupCode: code };
    const file = recovery === undefined ? {} : { recoveryFile: recovery.path };
    return printJson(world, { tenant, pin, operator, home: folder, ...codes, ...file });
  }
  print(world, `${request.org} is made. ${request.name} is its first admin.\n`);
  print(world, `pin         ${pin}`);
  if (code !== undefined) print(world, `setup code  ${code}`);
  print(world, `home        ${folder}\n`);
  await showSetupQr(world, code);
  if (code !== undefined) print(world, SETUP_CODE_WORDS);
  print(world, recoveryWords(recovery));
  print(world, "next: keybound package --out keybound-package.json");
}
