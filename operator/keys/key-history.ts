// The key log as a history: each entry with whose key it is about, who signed it, and what there was before. Of verified entries only.
import { readEnvelope } from "../../protocol/envelope.ts";
import { type KeyEvent, type NewKey, type Role, readGenesis, readLaterEvent } from "../../protocol/key-event.ts";
import { fingerprint } from "../../protocol/key-state.ts";
import type { Policy } from "../../protocol/policy.ts";
import type { KeyEntry } from "../home/cache.ts";

/** Who signed, by the name that they had then. Root keys have no name. */
export type Actor =
  | { readonly with: "key" | "recovery-file"; readonly operator: string; readonly name: string }
  | { readonly with: "root-key" };

export type Owner = { readonly operator: string; readonly name: string };

/** What an entry found. `role` and `hasRecovery` are its owner's. */
export type Before = {
  readonly policy: Policy | undefined;
  readonly role: Role | undefined;
  readonly hasRecovery: boolean;
  readonly rootKeys: number;
};

export type HistoryEntry = {
  readonly seq: number;
  readonly id: string;
  readonly time: number;
  readonly event: KeyEvent;
  readonly owner: Owner | undefined;
  readonly actors: readonly Actor[];
  readonly before: Before;
};

/** Every entry in order. The entries are a whole log that was judged. */
export function keyHistory(entries: readonly KeyEntry[]): readonly HistoryEntry[] {
  const people = new People();
  return entries.map(({ seq, id, bytes }) => {
    const { payload, signatures } = readEnvelope(bytes);
    const event = seq === 0 ? readGenesis(payload) : readLaterEvent(payload);
    const owner = people.ownerOf(event);
    const before = people.before(owner);
    const actors = event.type === "genesis" ? [founderOf(event.key)] : people.actorsOf(event, signatures);
    people.take(event);
    return { seq, id, time: event.time, event, owner, actors, before };
  });
}

/** As a person says it. */
export function actorName(actor: Actor): string {
  return actor.with === "root-key" ? "a root key" : actor.name;
}

function founderOf({ operator, name }: NewKey): Actor {
  return { with: "key", operator, name };
}

type Person = {
  readonly operator: string;
  readonly name: string;
  readonly role: Role;
  readonly key: string;
  readonly recovery: string | undefined;
};

/** Whose keys count, as the log goes on. */
class People {
  readonly #active = new Map<string, Person>();
  #roots: readonly string[] = [];
  #policy: Policy | undefined;

  ownerOf(event: KeyEvent): Owner | undefined {
    if ("key" in event && typeof event.key !== "string") return { operator: event.key.operator, name: event.key.name };
    if (!("operator" in event)) return undefined;
    return { operator: event.operator, name: this.#active.get(event.operator)?.name ?? event.operator };
  }

  before(owner: Owner | undefined): Before {
    const person = owner && this.#active.get(owner.operator);
    const rootKeys = this.#roots.length;
    return { policy: this.#policy, role: person?.role, hasRecovery: person?.recovery !== undefined, rootKeys };
  }

  /** A new key's proof of itself is nobody's act, nor is that of a recovery key that stays. */
  actorsOf({ type }: KeyEvent, signatures: readonly { readonly key: string }[]): readonly Actor[] {
    const signed = new Set(signatures.map(({ key }) => key));
    const recovering = type === "operator.recover";
    const named = [...this.#active.values()].flatMap(({ operator, name, key, recovery }): readonly Actor[] => {
      if (recovering && recovery !== undefined && signed.has(recovery))
        return [{ with: "recovery-file", operator, name }];
      return signed.has(key) ? [{ with: "key", operator, name }] : [];
    });
    const roots = this.#roots.filter((root) => signed.has(root)).map((): Actor => ({ with: "root-key" }));
    return [...named, ...roots];
  }

  take(event: KeyEvent): void {
    if ("key" in event && typeof event.key !== "string") this.#setKey(event.key);
    if ("root" in event) this.#roots = event.root.keys.map(fingerprint);
    if ("policy" in event) this.#policy = event.policy;
    if (event.type === "operator.revoke") this.#active.delete(event.operator);
    if (event.type === "operator.role") this.#change(event.operator, { role: event.role });
    if (event.type === "operator.recovery") this.#change(event.operator, { recovery: thumbprintOf(event.recovery) });
  }

  #setKey({ operator, name, role, sig, recovery }: NewKey): void {
    this.#active.set(operator, { operator, name, role, key: fingerprint(sig), recovery: thumbprintOf(recovery) });
  }

  #change(operator: string, to: Partial<Person>): void {
    const person = this.#active.get(operator);
    if (person !== undefined) this.#active.set(operator, { ...person, ...to });
  }
}

function thumbprintOf(raw: string | undefined): string | undefined {
  return raw === undefined ? undefined : fingerprint(raw);
}
