// A tenant with its key log: any event signed by whom one says, judged as a device judges it.
import type { LogPlace } from "../../protocol/fields.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import type { LaterEvent, RootKeys } from "../../protocol/key-event.ts";
import { type Judged, judgeEvent, judgeGenesis } from "../../protocol/key-log.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import type { KeyLogView } from "../../protocol/key-view.ts";
import { DEFAULT_POLICY, type Policy } from "../../protocol/policy.ts";
import type { Signer } from "../../protocol/signature.ts";
import { Clock, DAY } from "./clock.ts";
import { newKeyOf, type Person, person, raw } from "./person.ts";
import { idOf } from "./random.ts";
import { type Overrides, overridden, signFields } from "./statement.ts";

export const KEY_LIFETIME_MS = 180 * DAY;

export type EventFields = Overrides & { readonly type: LaterEvent["type"] };

export type TenantSetup = {
  readonly name?: string;
  readonly founder?: Person;
  readonly clock?: Clock;
  readonly epoch?: number;
  readonly supersedes?: readonly string[];
  readonly policy?: Partial<Policy>;
  readonly roots?: readonly Signer[];
  readonly rootThreshold?: number;
  /** Over the genesis entry's own fields. */
  readonly genesis?: Overrides;
};

/** An envelope of the genesis entry that this setup asks for, valid or not. */
export function genesisOf(setup: TenantSetup = {}): Uint8Array {
  const { name = "Acme", founder = person("Ada", "admin"), clock = new Clock(), epoch = 1, supersedes = [] } = setup;
  const roots = setup.roots ?? [];
  const root: RootKeys = { keys: roots.map(raw), threshold: setup.rootThreshold ?? Math.min(1, roots.length) };
  const fields = {
    type: "genesis",
    seq: 0,
    time: clock.now,
    name,
    epoch,
    nonce: idOf(`tenant ${name} ${epoch}`),
    supersedes,
    key: newKeyOf(founder, clock.now + KEY_LIFETIME_MS),
    root,
    policy: { ...DEFAULT_POLICY, ...setup.policy },
  };
  const signers = [founder.signer, founder.recovery, ...roots.filter(({ key }) => key !== founder.recovery.key)];
  return signFields("key-event", overridden(fields, setup.genesis), signers);
}

export class Tenant {
  readonly founder: Person;
  readonly clock: Clock;
  readonly entries: { readonly id: string; readonly bytes: Uint8Array; readonly state: KeyLogState }[] = [];

  constructor(setup: TenantSetup = {}) {
    this.clock = setup.clock ?? new Clock();
    this.founder = setup.founder ?? person("Ada", "admin");
    const bytes = genesisOf({ ...setup, clock: this.clock, founder: this.founder });
    const { id, state } = judgeGenesis(bytes, admitKey);
    this.entries.push({ id, bytes, state });
  }

  get state(): KeyLogState {
    return this.stateAt(this.entries.length - 1);
  }

  get id(): string {
    return this.state.tenant;
  }

  get head(): LogPlace {
    return this.state.head;
  }

  /** The entries' envelopes, from the first. */
  get log(): readonly Uint8Array[] {
    return this.entries.map(({ bytes }) => bytes);
  }

  get view(): KeyLogView {
    return this.viewAt(this.entries.length - 1);
  }

  /** The log as somebody sees it who has heard of it up to this place. */
  viewAt(seq: number): KeyLogView {
    const state = this.stateAt(seq);
    return { state, idAt: (at) => (at <= seq ? this.entries[at]?.id : undefined) };
  }

  stateAt(seq: number): KeyLogState {
    const entry = this.entries[seq];
    if (entry === undefined) throw new RangeError(`no entry ${seq} in a log of ${this.entries.length}`);
    return entry.state;
  }

  /** An entry for the place after the head (or after `after`), signed and not judged. Fields override the chain's own. */
  sign(event: EventFields, signers: readonly Signer[], after: LogPlace = this.head): Uint8Array {
    const chain = { tenant: this.id, seq: after.seq + 1, prev: after.id, time: this.clock.now };
    return signFields("key-event", overridden(chain, event), signers);
  }

  /** Judges an entry's bytes at the head and keeps it. Throws the refusal otherwise. */
  take(bytes: Uint8Array): Judged {
    const judged = judgeEvent(this.state, bytes, admitKey);
    this.entries.push({ id: judged.id, bytes, state: judged.state });
    return judged;
  }

  append(event: EventFields, signers: readonly Signer[]): Judged {
    return this.take(this.sign(event, signers));
  }

  /** Adds a person, approved by these admins (the founder unless said); the new keys sign as well. */
  add(who: Person, by: readonly Person[] = [this.founder]): Judged {
    return this.append({ type: "operator.add", key: this.keyOf(who) }, [...signersOf(by), who.signer, who.recovery]);
  }

  /** Revokes the active key of a person. */
  revoke(who: Person, by: readonly Person[] = [this.founder], jobs: "cancel" | "keep" = "cancel"): Judged {
    return this.append(
      { type: "operator.revoke", operator: who.operator, key: who.signer.key, reason: "left", jobs },
      signersOf(by),
    );
  }

  setPolicy(policy: Partial<Policy>, by: readonly Person[] = [this.founder]): Judged {
    return this.append({ type: "policy.set", policy: { ...this.state.policy, ...policy } }, signersOf(by));
  }

  keyOf(who: Person) {
    return newKeyOf(who, this.clock.now + KEY_LIFETIME_MS);
  }
}

export function signersOf(people: readonly Person[]): readonly Signer[] {
  return people.map(({ signer }) => signer);
}
