// The relay's tenants: loaded when somebody first asks for one, made with a claim code, and there also in another one's place.
import { readEnvelope, statementId } from "../protocol/envelope.ts";
import { admitKey } from "../protocol/key-admission.ts";
import { judgeGenesis } from "../protocol/key-log.ts";
import type { KeyLogState } from "../protocol/key-state.ts";
import { pinOf } from "../protocol/pin.ts";
import { refuse } from "../protocol/refusal.ts";
import { claimHash } from "./claim.ts";
import type { Store } from "./store.ts";
import type { Claim } from "./store-claims.ts";
import { Tenant } from "./tenant.ts";
import { Trouble } from "./trouble.ts";

export type NewTenant = {
  readonly code: string;
  readonly genesis: Uint8Array;
  /** The tenant whose place it takes, for which the code must have been made. */
  readonly retires: string | undefined;
  readonly now: number;
};

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

  /**
   * Makes a tenant of a genesis entry and uses the code up, in one synced commit. Throws `claim-unknown`, `tenant-exists`
   * (also for the code that made it, so that a lost answer can be told from a stolen code) or a refusal of the entry.
   *
   * Where it retires another tenant, the same commit does: nothing of that one waits any more, and everybody but its devices is
   * ended. Throws `tenant-reset` where that was done before, and a refusal where the entry is not one that supersedes it.
   */
  create({ code, genesis, retires, now }: NewTenant): string {
    const { hash, claim } = this.#claimOf(code);
    if (claim.retires !== retires) throw new Trouble("claim-unknown");
    if (claim.tenant !== undefined)
      throw new Trouble(madeBy(claim.tenant, genesis) ? "tenant-exists" : "claim-unknown");
    if (claim.expiresAt <= now) throw new Trouble("claim-unknown", `it expired at ${claim.expiresAt}`);
    const { id, state } = judgeGenesis(genesis, admitKey);
    if (this.#store.logs.tenant(id) !== undefined) throw new Trouble("tenant-exists");
    const before = retires === undefined ? undefined : this.#superseded(retires, state);
    this.#store.db.commit("create tenant", () => {
      this.#store.logs.addTenant({ id, genesis, now });
      this.#store.claims.use(hash, id);
      if (before !== undefined) this.#retire(before.n, id);
    });
    before?.retire(id);
    before?.hub.endPeople(resetTo(id));
    return id;
  }

  // --- Tenants whose place another one took ---

  /** Throws `tenant-reset`, with the pin of the tenant at the end of the line, where another one took this one's place. */
  checkNotReset({ retiredBy }: Tenant): void {
    if (retiredBy === undefined) return;
    throw resetTo([...this.#line(retiredBy)].at(-1) ?? retiredBy);
  }

  /** A tenant whose place the other one took, itself or by others between. Throws `tenant-unknown` for any other, here or not. */
  predecessor(id: string, of: string): Tenant {
    const [first, ...later] = this.#line(id);
    if (first === undefined || !later.includes(of)) throw new Trouble("tenant-unknown");
    return this.get(first);
  }

  /** A tenant, the one that took its place, and so on. It ends: each is of a later epoch than the one before. */
  *#line(id: string): Generator<string> {
    for (let at: string | undefined = id; at !== undefined; ) {
      const stored = this.#store.logs.tenant(at);
      if (stored === undefined) return;
      yield stored.id;
      at = stored.retiredBy;
    }
  }

  #claimOf(code: string): { readonly hash: Uint8Array; readonly claim: Claim } {
    const hash = claimHash(code);
    const claim = hash && this.#store.claims.find(hash);
    if (hash === undefined || claim === undefined) throw new Trouble("claim-unknown");
    return { hash, claim };
  }

  /** The tenant that a new one may take the place of. */
  #superseded(id: string, { supersedes, epoch }: KeyLogState): Tenant {
    const before = this.get(id);
    this.checkNotReset(before);
    if (!supersedes.includes(id)) throw refuse("tenant-other", `the genesis does not supersede tenant ${id}`);
    const least = before.state.epoch + 1;
    if (epoch < least) throw refuse("field-invalid", `epoch: ${epoch}, at least ${least}`);
    return before;
  }

  #retire(n: number, by: string): void {
    this.#store.logs.retire(n, by);
    this.#store.jobs.expireAll(n);
    this.#store.requests.dropAll(n);
    this.#store.proposals.dropAll(n);
  }
}

function madeBy(tenant: string, genesis: Uint8Array): boolean {
  return statementId(readEnvelope(genesis)) === tenant;
}

function resetTo(tenant: string): Trouble {
  return new Trouble("tenant-reset", pinOf(tenant));
}
