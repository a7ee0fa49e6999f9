// The state in the hands of a daemon that serves one owner: every write is refused once the owner has changed underneath.
import { numberOf } from "../state/row.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import type { Owner } from "./owner.ts";
import type { State } from "../state/state.ts";

/** The device was bound anew while this daemon served the owner before; it has to begin again with the new one. */
export class OwnerChanged extends Error {
  override readonly name = "OwnerChanged";
}

export class OwnerState {
  readonly state: State;
  readonly owner: Owner;
  /** As far as the key log has been followed. */
  keyState: KeyLogState;
  class: string;
  name: string | undefined;
  rosterKeySeq: number;
  rosterSeq: number;

  constructor(state: State, owner: Owner) {
    this.state = state;
    this.owner = owner;
    this.keyState = owner.keyState;
    this.class = owner.class;
    this.name = owner.name;
    this.rosterKeySeq = owner.rosterKeySeq;
    this.rosterSeq = owner.rosterSeq;
  }

  /** One transaction, on the disk before this returns. Throws `OwnerChanged` and writes nothing where the owner is another. */
  write<T>(name: string, change: (state: State) => T): T {
    return this.state.write(name, () => this.#changeOwn(change));
  }

  /** As `State.writeSoon`, with the same refusal. */
  writeSoon<T>(name: string, change: (state: State) => T): T {
    return this.state.writeSoon(name, () => this.#changeOwn(change));
  }

  /** No time before this is believed (SPEC 8.5). */
  floor(): number {
    return numberOf(this.state.get("SELECT floor FROM owner") ?? {}, "floor");
  }

  isCurrent(): boolean {
    const row = this.state.get("SELECT generation FROM owner");
    return row !== undefined && numberOf(row, "generation") === this.owner.generation;
  }

  #changeOwn<T>(change: (state: State) => T): T {
    if (!this.isCurrent()) throw new OwnerChanged("the owner has changed");
    return change(this.state);
  }
}
