// Asking for a key: home folder and request are on the disk before the relay hears of it, so that nothing is lost on the way.
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import { toBase64url } from "../../protocol/bytes.ts";
import { signKeyRequest } from "../../protocol/key-request.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { Cache } from "../home/cache.ts";
import { Fault } from "../fault.ts";
import { makeAccessSeeds, makeHomeFolder, writeHome } from "../home/home.ts";
import type { MadeKey } from "./new-key.ts";
import { recoveryField } from "./new-key.ts";
import { dialNewcomer, type NewcomerClient, throwAwaySigner } from "../connection/newcomer.ts";
import { writePending } from "../home/pending-request.ts";
import { proxyToKeep } from "../connection/proxy-wishes.ts";
import { type RecoveryPlan, writeRecovery } from "./plan-recovery.ts";
import { syncKeyLog } from "../connection/sync.ts";
import type { World } from "../world.ts";

/** The organisation that a person without a home there wants to join, with its log judged from the first entry. */
export type Joined = Disposable & { readonly cache: Cache; readonly state: KeyLogState };

/**
 * Makes the home's folder and brings the tenant's log into its cache. Without a configuration it is no home yet. Throws
 * `home-other` where an attempt for another organisation left its log there.
 */
export async function joinLog(
  world: World,
  { folder, relay, tenant }: { readonly folder: string; readonly relay: string; readonly tenant: string },
): Promise<Joined> {
  using newcomer = await dialNewcomer(world, relay, { tenant, signer: throwAwaySigner(world), now: world.now() });
  makeHomeFolder(folder);
  const cache = new Cache(folder);
  try {
    const pinned = cache.keyState();
    if (pinned !== undefined && pinned.tenant !== tenant) throw new Fault("home-other", `${folder}: ${pinned.name}`);
    const state = await syncKeyLog({ cache, tenant }, newcomer.client, undefined);
    return { cache, state, [Symbol.dispose]: () => cache[Symbol.dispose]() };
  } catch (error) {
    cache[Symbol.dispose]();
    throw error;
  }
}

export type Asking = {
  readonly folder: string;
  readonly relay: string;
  readonly state: KeyLogState;
  readonly purpose: "add" | "replace";
  readonly name: string;
  readonly made: MadeKey;
  readonly recovery: RecoveryPlan | undefined;
  /** Whether there is a home already, whose access key stays. */
  readonly hasHome: boolean;
};

/** Signs the request, writes recovery file, home and request, and answers the request's id. */
export async function writeRequest(world: World, asking: Asking): Promise<string> {
  const { folder, relay, state, name, made, recovery, purpose } = asking;
  const { operator, setupSecret, keys } = made;
  const mode = setupSecret === undefined ? "passphrase" : "setup";
  const now = world.now();
  const nonce = world.random(32);
  const recoveryKey = recoveryField(recovery?.key);
  const fields = {
    tenant: state.tenant,
    purpose,
    operator,
    name,
    sig: toBase64url(keys.signer.publicKey),
    enc: toBase64url(keys.sealing.publicKey),
    ...(recoveryKey === undefined ? {} : { recovery: recoveryKey }),
    mode,
    time: now,
  } as const;
  const signers = [keys.signer, ...(recovery === undefined ? [] : [recovery.key.signer])];
  const bytes = signKeyRequest(fields, { nonce, signers });
  await writeRecovery(recovery, { organisation: state.name, name, relay, tenant: state.tenant, operator, madeAt: now });
  writePending(folder, { bytes, nonce, sessions: 0 });
  const person = { tenant: state.tenant, organisation: state.name, operator, name, mode } as const;
  const config = { version: 1, ...person, relay, ...proxyToKeep(world) } as const;
  writeHome(folder, { config, setupSecret, ...(asking.hasHome ? {} : { access: makeAccessSeeds(world.random) }) });
  return statementId(readEnvelope(bytes));
}

/** Logs in by the key that is asked for, and files the request. Throws `request-rejected` or another refusal of the relay. */
export async function fileRequest(
  world: World,
  {
    relay,
    tenant,
    made,
    bytes,
  }: { readonly relay: string; readonly tenant: string; readonly made: MadeKey; readonly bytes: Uint8Array },
): Promise<NewcomerClient> {
  const newcomer = await dialNewcomer(world, relay, { tenant, signer: made.keys.signer, now: world.now() });
  try {
    await newcomer.client.ask("ok", { type: "file-request" }, [bytes]);
    return newcomer;
  } catch (error) {
    newcomer[Symbol.dispose]();
    throw error;
  }
}
