// Signs a deployment and puts its token into the roster.
import { toBase64url } from "../../protocol/bytes.ts";
import { type Deployment, writePackage } from "../../protocol/deployment.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { appendChanges, type RosterChange } from "../devices/append-roster.ts";
import { sealToken, tokenReaders } from "../devices/token-secret.ts";
import { signStatement } from "../unlock/keyring.ts";
import type { Unlocked } from "../unlock/unlock.ts";
import type { World } from "../world.ts";
import type { Terms } from "./terms.ts";

/** The bytes of the deployment package. From here on devices may join by its token, whether or not anybody keeps the bytes. */
export async function signPackage({ session, keys }: Unlocked, terms: Terms): Promise<Uint8Array> {
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
