// What a device learns from any job that it accepts, inside the transaction that claims it.
import type { VerifiedJob } from "../../protocol/verify-job.ts";
import { append } from "../state/journal.ts";
import { forgetExpired } from "./ledger.ts";
import { addVouch, raiseFloor } from "../binding/owner.ts";
import type { OwnerState } from "../binding/owner-state.ts";
import type { State } from "../state/state.ts";

export function noteAccepted(
  state: State,
  { manifest, statement, signers }: VerifiedJob,
  { owned, now }: { readonly owned: OwnerState; readonly now: number },
): void {
  append(state, now, { type: "accepted", job: manifest.job, statement, signers });
  for (const signer of signers) addVouch(state, signer, manifest.issuedAt);
  raiseFloor(state, manifest.issuedAt, now);
  forgetExpired(state, owned.floor());
}
