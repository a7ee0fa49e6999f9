// Founding an organisation, or its next epoch: key, recovery file, home folder and first entry, in the order that loses nothing.
import { admitKey } from "../../protocol/key-admission.ts";
import { judgeGenesis } from "../../protocol/key-log.ts";
import { grantFor } from "../unlock/access.ts";
import { Cache } from "../home/cache.ts";
import { createTenant, signGenesis, wasRefused } from "./create-tenant.ts";
import { Fault } from "../fault.ts";
import { accessKeyOf, makeAccessSeeds, makeHomeFolder, removeHome, writeGrant, writeHome } from "../home/home.ts";
import type { MadeKey } from "../keys/new-key.ts";
import { statementSigner } from "../unlock/keyring.ts";
import { type RecoveryPlan, removeRecovery, sealedRecovery } from "../keys/plan-recovery.ts";
import { RelayClient } from "../connection/relay-client.ts";
import { proxyToKeep } from "../connection/proxy-wishes.ts";
import type { World } from "../world.ts";

export type NewTenant = {
  readonly folder: string;
  readonly relay: string;
  readonly claim: string;
  readonly organisation: string;
  readonly name: string;
  readonly founder: MadeKey;
  readonly recovery: RecoveryPlan | undefined;
  readonly epoch: number;
  readonly supersedes: readonly string[];
  /** The tenant that the relay retires for this one. */
  readonly retires?: string;
};

/**
 * Writes the recovery file and the home first, because without its setup secret a tenant would be lost at birth, then has the relay make the
 * tenant. The home is taken back where the relay refused. Answers the tenant's id.
 */
export async function found(world: World, wanted: NewTenant): Promise<string> {
  const { folder, relay, founder, organisation, name } = wanted;
  const now = world.now();
  const genesis = signGenesis(founder, { ...wanted, now, random: world.random, recovery: wanted.recovery?.key });
  const { id: tenant, state } = judgeGenesis(genesis, admitKey);
  const { operator, setupSecret } = founder;
  const access = makeAccessSeeds(world.random);
  const keys = statementSigner(founder.keys.signer);
  const grant = await grantFor(accessKeyOf(access), { tenant, operator, keys, now });
  const owner = { organisation, name, relay, tenant, operator, madeAt: now };
  const writeFile = await sealedRecovery(wanted.recovery, owner);
  makeHomeFolder(folder);
  // Dialled before anything is written: a relay that is not there leaves an empty folder at most.
  const { client } = await RelayClient.dial(relay, world);
  const mode = setupSecret === undefined ? "passphrase" : "setup";
  let written: RecoveryPlan | undefined;
  try {
    writeFile();
    written = wanted.recovery;
    writeHome(folder, {
      config: { version: 1, tenant, organisation, operator, name, relay, mode, ...proxyToKeep(world) },
      setupSecret,
      access,
    });
    writeGrant(folder, grant);
    using cache = new Cache(folder);
    cache.addKeyEntries([{ seq: 0, id: tenant, bytes: genesis }], state);
    await createTenant(client, { claim: wanted.claim, genesis, ...retiring(wanted) });
  } catch (error) {
    if (!wasRefused(error)) throw lostAnswer(error, folder);
    removeHome(folder);
    removeRecovery(written);
    throw error;
  } finally {
    client.close();
  }
  return tenant;
}

function retiring({ retires }: NewTenant): { readonly retires?: string } {
  return retires === undefined ? {} : { retires };
}

function lostAnswer(error: unknown, folder: string): unknown {
  if (!(error instanceof Fault)) return error;
  const hint = `the organisation may have been made: try \`keybound devices\`; if it was not, remove ${folder} and repeat`;
  return new Fault(error.code, error.detail, { cause: error, hint });
}
