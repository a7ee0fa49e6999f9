// What `keybound verify` checks statements against, and what it answers.
import type { UnverifiedEnvelope } from "../../protocol/envelope.ts";
import type { KeyLogView } from "../../protocol/key-view.ts";
import type { Roster } from "../../protocol/roster.ts";
import { Fault } from "../fault.ts";

/** What a home knows: pinned logs, judged before. */
export type Known = {
  readonly keyLog: KeyLogView;
  readonly roster: Roster;
  /** Id of a device's receipt at this place of the chain that was verified here. */
  readonly receiptId: (device: string, seq: number) => string | undefined;
};

export type Verified = {
  readonly kind: string;
  readonly id: string;
  /** Each a sentence about what the statement proves. */
  readonly says: readonly string[];
  /** Each a sentence about what could not be checked here. */
  readonly unchecked: readonly string[];
};

export type Reading = {
  readonly bytes: Uint8Array;
  readonly envelope: UnverifiedEnvelope;
  readonly known: Known | undefined;
  readonly now: number;
};
export type Words = Pick<Verified, "says" | "unchecked">;

/** Throws `verify-unknown` where nothing is known. */
export function need(known: Known | undefined): Known {
  if (known === undefined) throw new Fault("verify-unknown", "there is no home with a key log");
  return known;
}
