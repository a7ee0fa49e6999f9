// `keybound package`: a deployment package for devices that shall belong to this organisation, and the token in it.
import { resolve } from "node:path";
import * as v from "valibot";
import { toBase64url } from "../../protocol/bytes.ts";
import { Word } from "../../protocol/fields.ts";
import { type Deployment, writePackage } from "../../protocol/deployment.ts";
import { DEFAULT_DEPLOYMENT_LIFETIME_MS, DEFAULT_TOKEN_LIFETIME_MS } from "../../protocol/limits.ts";
import { pinOf } from "../../protocol/pin.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { sealToken, tokenReaders } from "../token-secret.ts";
import { appendChanges, type RosterChange } from "../append.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { signStatement } from "../keyring.ts";
import { DEFAULT_TOKEN_USES } from "../limits.ts";
import { readRelayUrl } from "../relay-client.ts";
import { requireFree, writeWhole } from "../stored-file.ts";
import { openUnlocked, sendCheckpoint, type Unlocked } from "../unlock.ts";
import type { World } from "../world.ts";

const DAY_MS = 24 * 3_600_000;

export type PackageOptions = CommonOptions & {
  readonly out: string;
  readonly group?: readonly string[];
  readonly class?: string;
  readonly uses?: number;
  readonly days?: number;
  readonly mode?: "auto" | "hand";
  readonly relay?: readonly string[];
  readonly force?: boolean;
};

export async function makePackage(world: World, options: PackageOptions): Promise<void> {
  using desk = openDesk(world, options);
  const terms = termsOf(options, { now: world.now(), relay: desk.home.config.relay });
  const path = resolve(options.out);
  requireFree(path, options.force === true);
  say(world, widening(terms));
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  const bytes = await signPackage(unlocked, terms);
  writeWhole(path, bytes, { replace: options.force === true });
  await sendCheckpoint(unlocked);
  const pin = pinOf(session.state.tenant);
  const bind = `keybound-agent bind ${shown(options.out)} --trust ${pin}`;
  if (options.json === true) {
    const { mode, uses, notAfter, tokenNotAfter } = terms;
    return printJson(world, { file: path, pin, bind, mode, uses, notAfter, tokenNotAfter });
  }
  print(world, `wrote  ${options.out}`);
  print(world, `pin    ${pin}\n`);
  print(world, `On each device, as its administrator:\n\n    ${bind}\n`);
  print(world, "Whoever has the file can join as a device: carry it past the relay, and keep it to those who install.");
}

type Terms = {
  readonly mode: "auto" | "hand";
  readonly uses: number;
  readonly class: string;
  readonly groups: readonly string[];
  readonly relays: readonly string[];
  readonly issuedAt: number;
  readonly notAfter: number;
  readonly tokenNotAfter: number;
};

function termsOf(options: PackageOptions, { now, relay }: { now: number; relay: string }): Terms {
  const { mode = "auto", uses = DEFAULT_TOKEN_USES, days } = options;
  const lifetimeMs = days === undefined ? DEFAULT_DEPLOYMENT_LIFETIME_MS : days * DAY_MS;
  const tokenMs = days === undefined ? DEFAULT_TOKEN_LIFETIME_MS : lifetimeMs;
  const relays = (options.relay ?? [relay]).map((url) => {
    const read = readRelayUrl(url);
    if (read === undefined) throw new Fault("misuse", `--relay ${url}: ws://HOST:PORT or wss://HOST[:PORT]`);
    return read;
  });
  const groups = (options.group ?? []).map((group) => word("--group", group));
  const deviceClass = word("--class", options.class ?? "standard");
  return {
    mode,
    uses,
    class: deviceClass,
    groups,
    relays,
    issuedAt: now,
    notAfter: now + lifetimeMs,
    tokenNotAfter: now + tokenMs,
  };
}

/** Throws `misuse` for what is no name of a group or class. */
export function word(option: string, value: string): string {
  if (v.safeParse(Word, value).success) return value;
  throw new Fault("misuse", `${option} ${value}: lower-case letters, digits, dot, dash and underscore, at most 63`);
}

function widening({ mode, uses, tokenNotAfter, class: deviceClass, groups }: Terms): string {
  const how = mode === "auto" ? "without being asked for each" : "after you admit each by hand";
  const where = groups.length === 0 ? "" : `, groups ${groups.join(", ")}`;
  const until = new Date(tokenNotAfter).toISOString().slice(0, 10);
  return `This package lets up to ${uses} devices join until ${until}, ${how} (class ${deviceClass}${where}).`;
}

async function signPackage({ session, keys }: Unlocked, terms: Terms): Promise<Uint8Array> {
  const { random } = session.desk.world;
  const token = toBase64url(random(16));
  const tokenSecret = random(32);
  await appendChanges(session, keys, (now) => [tokenChange(token, { terms, tokenSecret, session: now, random })]);
  const { state } = session;
  const deployment: Deployment = {
    tenant: state.tenant,
    epoch: state.epoch,
    anchor: state.head,
    relays: [...terms.relays],
    token,
    class: terms.class,
    groups: [...terms.groups],
    issuedAt: terms.issuedAt,
    notAfter: terms.notAfter,
  };
  const signed = await signStatement("deployment", encodeStrict(deployment), [keys]);
  const keyLog = session.desk.cache.keyEntries().map(({ bytes }) => bytes);
  return writePackage({ deployment: signed, keyLog, tokenSecret });
}

function tokenChange(
  token: string,
  { terms, tokenSecret, session, random }: Pick<Unlocked, "session"> & Sealing,
): RosterChange {
  return {
    type: "token.add",
    token,
    mode: terms.mode,
    maxUses: terms.uses,
    notAfter: terms.tokenNotAfter,
    class: terms.class,
    groups: [...terms.groups],
    wraps: sealToken(tokenSecret, { token, to: tokenReaders(session.state, session.desk.home.access.sealing), random }),
  };
}

type Sealing = { readonly terms: Terms; readonly tokenSecret: Uint8Array; readonly random: World["random"] };

function shown(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
