// A tenant's roster with its entries, signed by whom one says and judged as an operator's client judges it.
import { toBase64url } from "../../protocol/bytes.ts";
import type { LogPlace } from "../../protocol/fields.ts";
import { emptyRoster, judgeRosterEvent, type Roster } from "../../protocol/roster.ts";
import type { RosterEvent } from "../../protocol/roster-event.ts";
import { wrapKey } from "../../protocol/seal.ts";
import { type Signer, thumbprint } from "../../protocol/signature.ts";
import { DAY } from "./clock.ts";
import { type Device, enrolmentOf } from "./device.ts";
import { type Person, raw } from "./person.ts";
import { idOf, seeded } from "./random.ts";
import { type Overrides, overridden, signFields } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

export type RosterFields = Overrides & { readonly type: RosterEvent["type"] };

export class RosterLog {
  readonly tenant: Tenant;
  readonly roster: Roster;
  readonly entries: { readonly id: string; readonly bytes: Uint8Array }[] = [];

  constructor(tenant: Tenant) {
    this.tenant = tenant;
    this.roster = emptyRoster(tenant.id);
  }

  get log(): readonly Uint8Array[] {
    return this.entries.map(({ bytes }) => bytes);
  }

  /** An entry for the place after the head, signed and not judged. Fields override the chain's own. */
  sign(event: RosterFields, signers: readonly Signer[], after: LogPlace | undefined = this.roster.head): Uint8Array {
    const place = after === undefined ? { seq: 0, prev: this.tenant.id } : { seq: after.seq + 1, prev: after.id };
    const chain = { tenant: this.tenant.id, ...place, time: this.tenant.clock.now, keyHead: this.tenant.head };
    return signFields("roster-event", overridden(chain, event), signers);
  }

  /** Judges an entry's bytes at the head and keeps it. Throws the refusal otherwise. */
  take(bytes: Uint8Array): { event: RosterEvent; id: string } {
    const judged = judgeRosterEvent(this.roster, bytes, this.tenant.view);
    this.entries.push({ id: judged.id, bytes });
    return judged;
  }

  append(event: RosterFields, signers: readonly Signer[]): { event: RosterEvent; id: string } {
    return this.take(this.sign(event, signers));
  }

  /** Admits a device under its own name; by the founder and into class `standard` unless `over` says otherwise. */
  admit(of: Device, by: Person = this.tenant.founder, over: Overrides = {}): { event: RosterEvent; id: string } {
    return this.append({ ...admissionOf(of, this.tenant), ...over }, [by.signer]);
  }

  /** Adds an enrolment token for a device or more; its secret is sealed to the founder. */
  addToken(word: string, over: Overrides = {}): { readonly token: string; readonly secret: Uint8Array } {
    const { founder, clock } = this.tenant;
    const token = idOf(`token ${word}`);
    const secret = seeded(`token secret ${word}`)(32);
    const use = { purpose: "token", statement: token } as const;
    const wrap = wrapKey(secret, { recipient: founder.sealing.publicKey, use, random: seeded(`token wrap ${word}`) });
    const wraps = [{ to: thumbprint(founder.sealing.publicKey, "X25519"), wrap: toBase64url(wrap) }];
    const limits = { mode: "auto", maxUses: 1, notAfter: clock.now + 30 * DAY };
    this.append({ type: "token.add", token, class: "standard", groups: [], wraps, ...limits, ...over }, [
      founder.signer,
    ]);
    return { token, secret };
  }
}

/** The fields of a `device.admit` entry for this device. */
export function admissionOf(of: Device, tenant: Tenant): RosterFields {
  return {
    type: "device.admit",
    device: of.id,
    sig: raw(of.signer),
    enc: raw(of.sealing),
    name: of.name,
    class: "standard",
    groups: [],
    request: enrolmentOf(of, tenant).id,
  };
}
