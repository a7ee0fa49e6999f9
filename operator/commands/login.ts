// `keybound login`: makes a key usable on a second machine. The setup code pins the tenant and brings half of what the key is made from.
import { toCrockford } from "../../protocol/crockford.ts";
import type { KeyLogState, Operator } from "../../protocol/key-state.ts";
import { PIN_CHARS } from "../../protocol/pin.ts";
import { type Stretched, stretchPassphrase } from "../../protocol/passphrase.ts";
import { readSetupCode } from "../../protocol/setup-code.ts";
import { renewAccess } from "../unlock/access.ts";
import { askLine } from "../ask.ts";
import { type CommonOptions, folderOf, openDesk, print, printJson } from "../desk.ts";
import { Fault } from "../fault.ts";
import { findKeys } from "../unlock/find-keys.ts";
import { hasHome, makeAccessSeeds, writeHome } from "../home/home.ts";
import { keyringOf } from "../unlock/keyring.ts";
import { checkedPin, findTenant } from "../connection/newcomer.ts";
import { proxyToKeep } from "../connection/proxy-wishes.ts";
import { readPassphrase } from "../passphrase/passphrase-input.ts";
import { findOperator } from "../keys/people.ts";
import { joinLog } from "../keys/request-key.ts";
import { text } from "../../protocol/bytes.ts";
import { readBounded } from "../home/stored-file.ts";
import { isAtTerminal, type World } from "../world.ts";
import { checkedRelay } from "./init.ts";

export type LoginOptions = CommonOptions & {
  readonly relay: string;
  readonly setupCodeFile?: string;
  /** For a key of mode passphrase-only, which has no setup code. */
  readonly pin?: string;
  readonly name?: string;
};

export async function login(world: World, options: LoginOptions): Promise<void> {
  const folder = folderOf(world, options);
  if (hasHome(folder)) throw new Fault("home-exists", folder);
  const { relay } = checkedRelay(options.relay);
  const origin = await originOf(world, options);
  const tenant = await findTenant(world, relay, origin.pin);
  const passphrase = await readPassphrase(world, options);
  const found = await foundIn(world, { folder, relay, tenant, origin, passphrase, name: options.name });
  const { name, operator, mode } = found.operator;
  const person = { tenant, organisation: found.state.name, operator, name, mode } as const;
  const config = { version: 1, ...person, relay, ...proxyToKeep(world) } as const;
  writeHome(folder, { config, setupSecret: origin.setupSecret, access: makeAccessSeeds(world.random) });
  using desk = openDesk(world, options);
  await renewAccess(desk, found.state, keyringOf(found.keys));
  if (options.json === true) return printJson(world, { tenant, pin: origin.pin, operator, name, home: folder });
  print(world, `${name} of ${found.state.name}: this machine can sign. next: keybound status`);
}

type Origin = { readonly pin: string; readonly setupSecret: Uint8Array | undefined };

async function originOf(world: World, options: LoginOptions): Promise<Origin> {
  if (options.pin !== undefined) {
    if (options.name === undefined)
      throw new Fault("misuse", "--pin goes with --name NAME: whose passphrase-only key is it?");
    return { pin: checkedPin(options.pin), setupSecret: undefined };
  }
  const code = readSetupCode(await typedCode(world, options.setupCodeFile));
  if (code === undefined) throw new Fault("setup-code", "");
  return { pin: toCrockford(code.tenantPrefix, PIN_CHARS), setupSecret: code.setupSecret };
}

async function typedCode(world: World, file: string | undefined): Promise<string> {
  if (file !== undefined) return text(readBounded(file, 4096)) ?? "";
  if (!isAtTerminal(world)) throw new Fault("misuse", "--setup-code-file FILE, where nobody can be asked");
  return await askLine(world, "Setup code (KB1-…):");
}

type Looking = {
  readonly folder: string;
  readonly relay: string;
  readonly tenant: string;
  readonly origin: Origin;
  readonly passphrase: string;
  readonly name: string | undefined;
};

/** Whose active key this passphrase leads to. Throws `passphrase-wrong`. */
async function foundIn(world: World, { folder, relay, tenant, origin, passphrase, name }: Looking) {
  using joined = await joinLog(world, { folder, relay, tenant });
  const { state } = joined;
  const named = name === undefined ? undefined : findOperator(state, name);
  const { setupSecret } = origin;
  const stretched = await stretchPassphrase(
    passphrase,
    setupSecret === undefined ? { setupSecret, operator: named?.operator ?? "" } : { setupSecret },
  );
  const candidates = named === undefined ? state.operators : [named];
  const found = candidates.flatMap((operator) => keysOfOne(state, operator, stretched));
  const [first] = found;
  if (first === undefined) throw new Fault("passphrase-wrong", "or the key of this setup code was revoked or replaced");
  return { state, ...first };
}

function keysOfOne(state: KeyLogState, operator: Operator, stretched: Stretched) {
  const keys = findKeys(state, operator.operator, stretched);
  return keys === undefined ? [] : [{ operator, keys }];
}
