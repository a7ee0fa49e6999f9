// A connection without a key that the organisation knows: it reads the key log, which is public, and asks for a key.
import { pinOf, readPin } from "../../protocol/pin.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { refuse } from "../../protocol/refusal.ts";
import { type Signer, signerOf } from "../../protocol/signature.ts";
import type { Desk } from "../desk.ts";
import { Fault } from "../fault.ts";
import { underLock } from "../home/home-lock.ts";
import { RelayClient } from "./relay-client.ts";
import { syncKeyLog } from "./sync.ts";
import type { World } from "../world.ts";

/** A client that has logged in as a newcomer, and the relay's clock less ours. */
export type NewcomerClient = Disposable & { readonly client: RelayClient; readonly clockDifferenceMs: number };

/**
 * The tenant whose pin this is. The relay is asked, and cannot lie: the whole id has to begin with the pin. Throws
 * `pin-unknown` where the relay has no such tenant.
 */
export async function findTenant(world: World, relay: string, pin: string): Promise<string> {
  const { client } = await RelayClient.dial(relay, world);
  try {
    const { header } = await client.ask("tenant", { type: "find-tenant", pin });
    if (pinOf(header.tenant) !== readPin(pin)) throw refuse("tenant-other", `the relay named ${pinOf(header.tenant)}`);
    return header.tenant;
  } finally {
    client.close();
  }
}

/** Logs in by this key, which may be a throw-away one. */
export async function dialNewcomer(
  world: World,
  relay: string,
  { tenant, signer, now }: { readonly tenant: string; readonly signer: Signer; readonly now: number },
): Promise<NewcomerClient> {
  const { client, hello } = await RelayClient.dial(relay, world);
  try {
    await client.logIn(hello, { tenant, role: "newcomer", signer, now });
    return { client, clockDifferenceMs: hello.time - now, [Symbol.dispose]: () => client.close() };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** A key that is used for one connection and forgotten. */
export function throwAwaySigner({ random }: World): Signer {
  return signerOf(random(32));
}

/** Brings the home's key log up to date without any access of its own: it may have lost it, or not have it yet. */
export async function followKeyLog(desk: Desk): Promise<KeyLogState> {
  const { home, world } = desk;
  const { relay, tenant } = home.config;
  using newcomer = await dialNewcomer(world, relay, { tenant, signer: throwAwaySigner(world), now: world.now() });
  return await underLock(home.folder, () => syncKeyLog({ cache: desk.cache, tenant }, newcomer.client, undefined));
}

/** The pin as it was typed, in its printed spelling. Throws `misuse`. */
export function checkedPin(typed: string): string {
  const pin = readPin(typed);
  if (pin === undefined)
    throw new Fault("misuse", `--pin ${typed}: 25 letters and digits, as an admin's keybound status shows it`);
  return pin;
}
