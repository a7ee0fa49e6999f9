// The home folder of an operator's client: what it is configured for, the setup secret, the access key with its grant.
// Nothing in it signs a job: for that, the passphrase is needed, at each task or once in a while.
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { fromBase64url, text, toBase64url, utf8 } from "../../protocol/bytes.ts";
import { Digest, Id, Name } from "../../protocol/fields.ts";
import { sealingPairOf } from "../../protocol/passphrase.ts";
import type { Random, SealingPair } from "../../protocol/seal.ts";
import { type Signer, signerOf } from "../../protocol/signature.ts";
import { Fault, writeFault } from "../fault.ts";
import type { World } from "../world.ts";
import { isOpenToOthers, readBounded, writeWhole } from "./stored-file.ts";

const CONFIG = "config.json";
const SETUP_SECRET = "setup-secret";
const ACCESS_KEY = "access-key.json";
const ACCESS_GRANT = "access-grant.json";
const PENDING = "key-request.json";
/** Held while an admin has somebody on the telephone. */
export const CALL_LOCK = "call.db";
const PREDECESSORS = "predecessor.json";
const FILES = [
  CONFIG,
  SETUP_SECRET,
  ACCESS_KEY,
  ACCESS_GRANT,
  PENDING,
  CALL_LOCK,
  PREDECESSORS,
  "cache.db",
  "cache.db-wal",
  "cache.db-shm",
  "lock.db",
];
/** Ours are a few hundred bytes. */
const MAX_FILE_BYTES = 128 * 1024;

const Config = v.strictObject({
  version: v.literal(1),
  tenant: Digest,
  organisation: Name,
  operator: Id,
  name: Name,
  relay: v.string(),
  /** The proxy that leads there, with credentials if need be, or `direct`; what else says one counts where it is absent. */
  proxy: v.exactOptional(v.string()),
  mode: v.picklist(["setup", "passphrase"]),
  /** How often the passphrase is asked for, within the policy; at each task where it is absent. */
  prompt: v.exactOptional(v.picklist(["task", "day", "week"])),
});
export type Config = Readonly<v.InferOutput<typeof Config>>;

const AccessKeyFile = v.strictObject({ version: v.literal(1), seed: Digest, sealing: Digest });

/** Reads, sends and opens output for its operator; signs nothing but logins. */
export type AccessKey = { readonly signer: Signer; readonly sealing: SealingPair };

/** Seeds of an access key, to be stored. */
export type AccessSeeds = { readonly seed: Uint8Array; readonly sealing: Uint8Array };

export type Home = {
  readonly folder: string;
  readonly config: Config;
  readonly setupSecret: Uint8Array | undefined;
  readonly access: AccessKey;
};

/** Where the home is unless --home says: KEYBOUND_HOME, else the platform's folder for configuration. */
export function homeFolder({ env, platform, homeFolder: user }: World): string {
  if (env["KEYBOUND_HOME"]) return env["KEYBOUND_HOME"];
  if (platform === "win32") return join(env["APPDATA"] ?? join(user, "AppData", "Roaming"), "Keybound");
  return join(env["XDG_CONFIG_HOME"] ?? join(user, ".config"), "keybound");
}

export function hasHome(folder: string): boolean {
  return existsSync(join(folder, CONFIG));
}

/** Where the home of the next epoch is made, beside the one that there is. */
export function nextHome(folder: string): string {
  return `${folder.replace(/\/+$/, "")}.next`;
}

/**
 * A reset that was killed between its two renames left no home at its place, and a whole one beside it, of an organisation that is
 * made. Puts it there, and says whether it had to.
 */
export function finishTaking(folder: string): boolean {
  if (existsSync(folder) || !hasHome(nextHome(folder))) return false;
  renameSync(nextHome(folder), folder);
  return true;
}

/** Opens a home. Throws `home-missing`, `home-unsafe` or `home-broken`. */
export function openHome(folder: string, platform: NodeJS.Platform): Home {
  finishTaking(folder);
  if (!hasHome(folder)) throw new Fault("home-missing", folder);
  for (const path of [folder, ...FILES.map((name) => join(folder, name)).filter(existsSync)]) {
    if (isOpenToOthers(path, platform)) throw new Fault("home-unsafe", path);
  }
  const config = readConfig(folder);
  return {
    folder,
    config,
    setupSecret: config.mode === "setup" ? readSecret(join(folder, SETUP_SECRET)) : undefined,
    access: accessKeyOf(readAccessSeeds(join(folder, ACCESS_KEY))),
  };
}

/** What a home is configured for, whoever may read it. Throws `home-broken`, or `file-missing` where there is none. */
export function readConfig(folder: string): Config {
  return readJson(join(folder, CONFIG), Config);
}

/** Makes a home's folder, for its user alone. */
export function makeHomeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
  } catch (error) {
    throw writeFault(error, folder);
  }
}

/** Writes a home's files, the config last: a crash before that leaves no home. Without `access` the access key stays. */
export function writeHome(
  folder: string,
  { config, setupSecret, access }: { config: Config; setupSecret: Uint8Array | undefined; access?: AccessSeeds },
): void {
  if (setupSecret !== undefined) write(join(folder, SETUP_SECRET), `${toBase64url(setupSecret)}\n`);
  if (access !== undefined) {
    const keys = { version: 1, seed: toBase64url(access.seed), sealing: toBase64url(access.sealing) };
    write(join(folder, ACCESS_KEY), `${JSON.stringify(keys)}\n`);
  }
  writeConfig(folder, config);
}

/** Writes a home's config, new or in place of the one before. */
export function writeConfig(folder: string, config: Config): void {
  write(join(folder, CONFIG), `${JSON.stringify(config, undefined, 2)}\n`);
}

/** Takes back what `writeHome` wrote, for a tenant that was never made. */
export function removeHome(folder: string): void {
  for (const name of FILES) rmSync(join(folder, name), { force: true });
}

export function makeAccessSeeds(random: Random): AccessSeeds {
  return { seed: random(32), sealing: random(32) };
}

export function accessKeyOf({ seed, sealing }: AccessSeeds): AccessKey {
  return { signer: signerOf(seed), sealing: sealingPairOf(sealing) };
}

/** The envelope of this client's access grant, as it was signed; `undefined` before the first. */
export function readGrant(folder: string): Uint8Array | undefined {
  const path = join(folder, ACCESS_GRANT);
  return existsSync(path) ? readBounded(path, MAX_FILE_BYTES) : undefined;
}

export function writeGrant(folder: string, envelope: Uint8Array): void {
  writeWhole(join(folder, ACCESS_GRANT), envelope, { replace: true });
}

function write(path: string, content: string): void {
  writeWhole(path, utf8(content), { replace: true });
}

function readAccessSeeds(path: string): AccessSeeds {
  const { seed, sealing } = readJson(path, AccessKeyFile);
  return { seed: fromBase64url(seed) ?? broken(path), sealing: fromBase64url(sealing) ?? broken(path) };
}

function readSecret(path: string): Uint8Array {
  const secret = fromBase64url((text(readBounded(path, MAX_FILE_BYTES)) ?? "").trim());
  return secret?.length === 16 ? secret : broken(path);
}

function readJson<const S extends v.GenericSchema>(path: string, schema: S): v.InferOutput<S> {
  const parsed = v.safeParse(schema, parseJson(path));
  return parsed.success ? parsed.output : broken(path);
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(text(readBounded(path, MAX_FILE_BYTES)) ?? "") as unknown;
  } catch (error) {
    // The one documented failure of JSON.parse: a SyntaxError.
    if (error instanceof SyntaxError) return broken(path);
    throw error;
  }
}

function broken(path: string): never {
  throw new Fault("home-broken", path);
}
