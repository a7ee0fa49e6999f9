// Several people of one organisation in tests: each with a home of their own and the house's passphrase, made at once, without
// requests and approvals; and a hand that writes to log and relay as one of them, whatever their program would say.
import { randomBytes } from "node:crypto";
import { type KeyChange, type AppendedKey, appendKeyEvent, type KeyDesk } from "../../operator/keys/append-key.ts";
import { grantFor } from "../../operator/unlock/access.ts";
import { Cache } from "../../operator/home/cache.ts";
import {
  accessKeyOf,
  makeAccessSeeds,
  makeHomeFolder,
  openHome,
  writeGrant,
  writeHome,
} from "../../operator/home/home.ts";
import { statementSigner, type StatementSigner } from "../../operator/unlock/keyring.ts";
import { entryOf, makeKey, type MadeKey } from "../../operator/keys/new-key.ts";
import { RelayClient } from "../../operator/connection/relay-client.ts";
import { syncKeyLog } from "../../operator/connection/sync.ts";
import { toBase64url } from "../../protocol/bytes.ts";
import type { Role } from "../../protocol/key-event.ts";
import { DEFAULT_POLICY } from "../../protocol/policy.ts";
import { type CliOptions, expectDone, type OperatorHouse, PASSPHRASE, type Ran } from "./house.ts";

const random = (bytes: number) => new Uint8Array(randomBytes(bytes));

export class Colleague {
  readonly name: string;
  readonly home: string;
  readonly made: MadeKey;
  readonly #house: OperatorHouse;

  constructor(house: OperatorHouse, { name, home, made }: { name: string; home: string; made: MadeKey }) {
    this.#house = house;
    this.name = name;
    this.home = home;
    this.made = made;
  }

  get signer(): StatementSigner {
    return statementSigner(this.made.keys.signer);
  }

  /** Runs the operator's program with this person's home. */
  run(args: readonly string[], options: CliOptions = {}): Promise<Ran> {
    return this.#house.run(args, { ...options, env: { KEYBOUND_HOME: this.home } });
  }

  /** The same, for a command that needs the passphrase. */
  unlocked(args: readonly string[], options: CliOptions = {}): Promise<Ran> {
    return this.#house.unlocked(args, { ...options, env: { KEYBOUND_HOME: this.home } });
  }

  /** A connection as this person's own key, past their program. */
  async hand<T>(work: (desk: KeyDesk) => Promise<T>): Promise<T> {
    const { config } = openHome(this.home, process.platform);
    const { client, hello } = await RelayClient.dial(this.#house.url, { env: {}, platform: "linux" });
    using cache = new Cache(this.home);
    try {
      const { signer } = this.made.keys;
      await client.logIn(hello, { tenant: config.tenant, role: "operator", signer, now: Date.now() });
      const state = await syncKeyLog({ cache, tenant: config.tenant }, client, undefined);
      return await work({ folder: this.home, client, cache, state, now: Date.now() });
    } finally {
      client.close();
    }
  }

  /** Appends or proposes an entry of the key log that this person signs. */
  write(change: KeyChange, others: readonly StatementSigner[] = []): Promise<AppendedKey> {
    return this.hand((desk) => appendKeyEvent(desk, () => ({ change, signers: [this.signer, ...others] })));
  }
}

/** The one who made the house's organisation. */
export async function founder(house: OperatorHouse): Promise<Colleague> {
  const { config, setupSecret } = openHome(house.home, process.platform);
  const made = await makeKey(PASSPHRASE, { operator: config.operator, generation: 0, setupSecret });
  return new Colleague(house, { name: config.name, home: house.home, made });
}

/** One more person, whose key this admin alone approves. */
export async function hire(
  house: OperatorHouse,
  by: Colleague,
  { name, role }: { name: string; role: Role },
): Promise<Colleague> {
  const { config } = openHome(by.home, process.platform);
  const operator = toBase64url(random(16));
  const setupSecret = random(16);
  const made = await makeKey(PASSPHRASE, { operator, generation: 0, setupSecret });
  const home = house.path(`home-${name}`);
  const access = makeAccessSeeds(random);
  makeHomeFolder(home);
  writeHome(home, { config: { ...config, operator, name, mode: "setup" }, setupSecret, access });
  const own = statementSigner(made.keys.signer);
  await by.write({ type: "operator.add", key: entryOf(made, { name, role, now: Date.now() }) }, [own]);
  writeGrant(
    home,
    await grantFor(accessKeyOf(access), { tenant: config.tenant, operator, keys: own, now: Date.now() }),
  );
  return new Colleague(house, { name, home, made });
}

/** Sets how many people sign a job for critical devices; all of these sign the policy. */
export async function signersOfCritical(count: number, [first, ...others]: readonly Colleague[]): Promise<void> {
  const policy = { ...DEFAULT_POLICY, jobThresholds: [{ kind: "any" as const, class: "critical", count }] };
  await first?.write(
    { type: "policy.set", policy },
    others.map(({ signer }) => signer),
  );
}

/** A row of `keybound cosign --json`. */
export type Waiting = {
  readonly proposal: string;
  readonly job: string;
  readonly signers: readonly string[];
  readonly needed: number;
  readonly what: string;
  readonly refused?: string;
};

export async function waiting(who: Colleague): Promise<readonly Waiting[]> {
  return JSON.parse(expectDone(await who.run(["cosign", "--json"])).stdout);
}

export function cosign(who: Colleague, id: string): Promise<Ran> {
  return who.unlocked(["cosign", "--yes", "--", id]);
}

/** Takes away whatever waits. */
export function rejectAll(who: Colleague): Promise<void> {
  return who.hand(async ({ client }) => {
    const { header } = await client.ask("proposals", { type: "list-proposals" });
    for (const { proposal } of header.proposals) await client.ask("ok", { type: "drop-proposal", proposal });
  });
}

/** The exit code, and the code that is said on stderr. */
export function verdict({ code, stderr }: Ran): readonly [number | null, string] {
  return [code, /^keybound: ([a-z-]+): /m.exec(stderr)?.[1] ?? stderr];
}
