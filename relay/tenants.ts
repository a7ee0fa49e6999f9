// The relay's tenants: loaded when somebody first asks for one, and made with a claim code.
import { readEnvelope, statementId } from "../protocol/envelope.ts";
import { admitKey } from "../protocol/key-admission.ts";
import { judgeGenesis } from "../protocol/key-log.ts";
import { claimHash } from "./claim.ts";
import type { Store } from "./store.ts";
import { Tenant } from "./tenant.ts";
import { Trouble } from "./trouble.ts";

export class Tenants {
  readonly #store: Store;
  readonly #loaded = new Map<string, Tenant>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Throws `tenant-unknown`. */
  get(id: string): Tenant {
    const loaded = this.#loaded.get(id);
    if (loaded !== undefined) return loaded;
    const stored = this.#store.logs.tenant(id);
    if (stored === undefined) throw new Trouble("tenant-unknown");
    const tenant = new Tenant(this.#store, stored);
    this.#loaded.set(id, tenant);
    return tenant;
  }

  /** Those that somebody has asked for since the start. */
  loaded(): Iterable<Tenant> {
    return this.#loaded.values();
  }

  /** The loaded tenant of this row. */
  byRow(n: number): Tenant | undefined {
    return [...this.#loaded.values()].find((tenant) => tenant.n === n);
  }

  /**
   * Makes a tenant of a genesis entry and uses the code up, in one synced commit. Throws `claim-unknown`, `tenant-exists`
   * (also for the code that made it, so that a lost answer can be told from a stolen code) or a refusal of the entry.
   */
  create({ code, genesis, now }: { code: string; genesis: Uint8Array; now: number }): string {
    const hash = claimHash(code);
    const claim = hash && this.#store.claims.find(hash);
    if (hash === undefined || claim === undefined) throw new Trouble("claim-unknown");
    if (claim.tenant !== undefined)
      throw new Trouble(madeBy(claim.tenant, genesis) ? "tenant-exists" : "claim-unknown");
    if (claim.expiresAt <= now) throw new Trouble("claim-unknown", `it expired at ${claim.expiresAt}`);
    const { id } = judgeGenesis(genesis, admitKey);
    if (this.#store.logs.tenant(id) !== undefined) throw new Trouble("tenant-exists");
    this.#store.db.commit("create tenant", () => {
      this.#store.logs.addTenant({ id, genesis, now });
      this.#store.claims.use(hash, id);
    });
    return id;
  }
}

function madeBy(tenant: string, genesis: Uint8Array): boolean {
  return statementId(readEnvelope(genesis)) === tenant;
}
