// A tenant whose log grows to the longest that there can be, by people who change their keys in turn.
import type { AdmitKey } from "../../protocol/key-admission.ts";
import { type Judged, judgeEvent } from "../../protocol/key-log.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { type Person, renewed } from "./person.ts";
import { Tenant, type TenantSetup } from "./tenant.ts";

/** Keys that were made here need no admission. */
export const ADMITTED: AdmitKey = () => undefined;

/** Knows its first state and its newest: ten thousand of them would not fit into memory. */
export class LongTenant extends Tenant {
  readonly #first: KeyLogState;

  constructor(setup: TenantSetup = {}) {
    super(setup);
    this.#first = this.state;
  }

  override take(bytes: Uint8Array): Judged {
    const judged = judgeEvent(this.state, bytes, ADMITTED);
    const before = this.entries.pop();
    if (before !== undefined) this.entries.push({ ...before, state: this.#first });
    this.entries.push({ id: judged.id, bytes, state: judged.state });
    return judged;
  }

  override stateAt(seq: number): KeyLogState {
    if (seq !== 0 && seq !== this.entries.length - 1) throw new RangeError(`the state at ${seq} was forgotten`);
    return super.stateAt(seq);
  }

  /** Lets these people change their keys in turn until the head is at this place, and answers them with the keys that they have then. */
  changeKeys(people: readonly Person[], seq: number): readonly Person[] {
    const now = [...people];
    while (this.head.seq < seq) {
      const turn = this.head.seq % now.length;
      const before = now[turn];
      if (before === undefined) throw new RangeError("nobody to change a key");
      const after = renewed(before);
      const signers = [before.signer, after.signer, after.recovery];
      this.append({ type: "operator.change", key: this.keyOf(after), jobs: "keep" }, signers);
      now[turn] = after;
    }
    return now;
  }
}
