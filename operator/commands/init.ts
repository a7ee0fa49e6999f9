// `keybound init`: the organisation's first signature key, and with it the organisation.
import * as v from "valibot";
import { Name } from "../../protocol/fields.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { judgeGenesis } from "../../protocol/key-log.ts";
import { pinOf } from "../../protocol/pin.ts";
import { writeSetupCode } from "../../protocol/setup-code.ts";
import { askSecret, askYes } from "../ask.ts";
import { Cache } from "../cache.ts";
import { createTenant, type Founder, makeFounder, signGenesis, wasRefused } from "../create-tenant.ts";
import { type CommonOptions, folderOf, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { accessKeyOf, hasHome, makeAccessSeeds, makeHomeFolder, removeHome, writeGrant, writeHome } from "../home.ts";
import { MAX_PROMPT_TRIES } from "../limits.ts";
import { givenPassphrase } from "../passphrase-input.ts";
import { readRelayUrl, RelayClient } from "../relay-client.ts";
import { checkStrength, type KeyMode, strengthOf } from "../strength.ts";
import { grantFor } from "../unlock.ts";
import { generatedWords } from "../words.ts";
import { isAtTerminal, type World } from "../world.ts";

export type InitOptions = CommonOptions & {
  readonly relay: string;
  readonly claim: string;
  readonly org: string;
  readonly name: string;
  readonly acknowledge?: boolean;
  readonly passphraseOnly?: boolean;
};

const CANNOT_BE_RESTORED = [
  "Nobody can restore this passphrase: not us, not the relay, not a colleague. It is stored nowhere.",
  "If it is forgotten, no job can be signed with this key again; while it is the only one, every device must be",
  "redeployed. This version makes no recovery file.",
];

export async function init(world: World, options: InitOptions): Promise<void> {
  const folder = folderOf(world, options);
  const request = checkedRequest(options);
  if (hasHome(folder)) throw new Fault("home-exists", folder);
  const mode: KeyMode = options.passphraseOnly === true ? "passphrase" : "setup";
  const passphrase = await choosePassphrase(world, options, { mode, known: [request.org, request.name, request.host] });
  await acknowledge(world, options);
  const founder = await makeFounder(passphrase, { mode, random: world.random });
  const tenant = await found(world, { folder, request, founder, claim: options.claim });
  report(world, options, { folder, tenant, request, founder });
}

type Request = { readonly relay: string; readonly host: string; readonly org: string; readonly name: string };

function checkedRequest({ relay, org, name }: InitOptions): Request {
  const url = readRelayUrl(relay);
  if (url === undefined) throw new Fault("misuse", `--relay ${relay}: ws://HOST:PORT or wss://HOST[:PORT]`);
  for (const [option, value] of [["--org", org] as const, ["--name", name] as const]) {
    if (!v.is(Name, value)) throw new Fault("misuse", `${option}: 1 to 64 printable characters`);
  }
  return { relay: url, host: new URL(url).hostname, org, name };
}

type Rule = { readonly mode: KeyMode; readonly known: readonly string[] };

async function choosePassphrase(world: World, options: InitOptions, rule: Rule): Promise<string> {
  const given = givenPassphrase(options);
  if (given !== undefined) {
    await checkStrength(given, rule);
    return given;
  }
  if (!isAtTerminal(world)) throw new Fault("passphrase-needed", "standard input is not a terminal");
  say(world, "Six words that were drawn for you and are strong enough; write them down until you know them:\n");
  say(world, `    ${await generatedWords(world.random)}\n`);
  say(world, "Type these, or a passphrase of your own.");
  const typed = await typedStrong(world, rule);
  if ((await askSecret(world, "The same once more:")) !== typed) throw new Fault("passphrase-differs", "");
  return typed;
}

/** Asks until a passphrase is strong enough, and says each time why one is not. */
async function typedStrong(world: World, rule: Rule): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const typed = await askSecret(world, "New passphrase:");
    const { isStrong, why } = await strengthOf(typed, rule);
    if (isStrong) return typed;
    if (attempt >= MAX_PROMPT_TRIES) throw new Fault("passphrase-weak", why.join("; "));
    say(world, `Too easy to guess: ${why.join("; ")}.`);
  }
}

async function acknowledge(world: World, { acknowledge: isAcknowledged }: InitOptions): Promise<void> {
  for (const line of CANNOT_BE_RESTORED) say(world, line);
  if (isAcknowledged === true) return;
  if (!isAtTerminal(world)) throw new Fault("acknowledge-needed", "");
  if (!(await askYes(world, "I have read this, and will keep the passphrase.")))
    throw new Fault("not-confirmed", "nothing was made");
}

type Founding = {
  readonly folder: string;
  readonly request: Request;
  readonly founder: Founder;
  readonly claim: string;
};

/**
 * Writes the home first, because without its setup secret a tenant would be lost at birth, then has the relay make the
 * tenant. The home is taken back where the relay refused.
 */
async function found(world: World, { folder, request, founder, claim }: Founding): Promise<string> {
  const now = world.now();
  const { org: organisation, name, relay } = request;
  const genesis = signGenesis(founder, { organisation, name, now, random: world.random });
  const { id: tenant, state } = judgeGenesis(genesis, admitKey);
  const { operator, setupSecret, keys } = founder;
  const access = makeAccessSeeds(world.random);
  makeHomeFolder(folder);
  // Dialled before anything is written: a relay that is not there leaves an empty folder at most.
  const { client } = await RelayClient.dial(relay);
  const mode = setupSecret === undefined ? "passphrase" : "setup";
  const config = { version: 1, tenant, organisation, operator, name, relay, mode } as const;
  try {
    writeHome(folder, { config, setupSecret, access });
    writeGrant(folder, grantFor(accessKeyOf(access), { tenant, operator, keys, now }));
    using cache = new Cache(folder);
    cache.addKeyEntries([{ seq: 0, id: tenant, bytes: genesis }], state);
    await createTenant(client, { claim, genesis });
  } catch (error) {
    if (!wasRefused(error)) throw lostAnswer(error, folder);
    removeHome(folder);
    throw error;
  } finally {
    client.close();
  }
  return tenant;
}

function lostAnswer(error: unknown, folder: string): unknown {
  if (!(error instanceof Fault)) return error;
  const hint = `the organisation may have been made: try \`keybound devices\`; if it was not, remove ${folder} and repeat`;
  return new Fault(error.code, error.detail, { cause: error, hint });
}

function report(
  world: World,
  options: InitOptions,
  { folder, tenant, request, founder }: { folder: string; tenant: string; request: Request; founder: Founder },
): void {
  const code = founder.setupSecret === undefined ? undefined : writeSetupCode(tenant, founder.setupSecret);
  const pin = pinOf(tenant);
  if (options.json === true) {
    const { operator } = founder;
    printJson(world, { tenant, pin, operator, home: folder, ...(code === undefined ? {} : { setupCode: code }) });
    return;
  }
  print(world, `${request.org} is made. ${request.name} is its first admin.\n`);
  print(world, `pin         ${pin}`);
  if (code !== undefined) print(world, `setup code  ${code}`);
  print(world, `home        ${folder}\n`);
  if (code !== undefined) {
    print(
      world,
      "The setup code is shown this once: it and the passphrase make the key. Keep it apart from the passphrase.",
    );
  }
  print(world, "There is no recovery file: this version does not make one.");
  print(world, "next: keybound package --out keybound-package.json");
}
