// A job that waits for another signature, verified as far as a person who signs it can: who signed, for which devices of the
// signed roster, when, and what would run. Nothing that is shown of it comes from the relay.
import { type JobManifest, readManifest } from "../../protocol/job.ts";
import type { JobWork } from "../../protocol/job-work.ts";
import { placeIn } from "../../protocol/key-view.ts";
import { MAX_CLOCK_AHEAD_MS } from "../../protocol/limits.ts";
import { refuse } from "../../protocol/refusal.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { lastDueAt } from "../../protocol/runs.ts";
import { type Counted, countedSignatures } from "./counted-signatures.ts";
import { Fault } from "../fault.ts";
import { neededFor } from "./job-signers.ts";
import { openBody } from "../results/open-body.ts";
import type { FetchedProposal, UnverifiedProposal } from "./proposals.ts";
import { placeAmong } from "../results/reader.ts";
import { partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import type { Unlocked } from "../unlock/unlock.ts";

export type ProposedManifest = {
  readonly statement: string;
  readonly manifest: JobManifest;
  readonly counted: Counted;
  /** In the manifest's order. */
  readonly targets: readonly RosterDevice[];
  /** How many people the strictest of the targets' classes asks for. */
  readonly needed: number;
};

export type ProposedJob = ProposedManifest & { readonly work: JobWork };

/**
 * What devices would check before the number of signatures, and that each target is in the roster. Throws
 * `signer-unknown`, `signer-revoked`, `signature-bad`, `tenant-other`, `job-*`, `proposal-target`.
 */
export function readProposedManifest(session: Session, { id, envelope }: UnverifiedProposal): ProposedManifest {
  const { state, now, roster } = session;
  const counted = countedSignatures(envelope, { state, now });
  requireSigner(counted);
  const manifest = readManifest(envelope.payload);
  if (manifest.tenant !== state.tenant) throw refuse("tenant-other", `tenant ${manifest.tenant}`);
  checkWindow(session, manifest);
  checkPlace(session, manifest);
  const targets = manifest.targets.map((device) => {
    const found = roster.devices.get(device);
    if (found === undefined) throw new Fault("proposal-target", device);
    return found;
  });
  const classes = targets.map((device) => device.class);
  return {
    statement: id,
    manifest,
    counted,
    targets,
    needed: neededFor(state.policy, { kind: manifest.kind, classes }),
  };
}

/** Somebody who may sign jobs stands behind it, else nobody proposed it. */
function requireSigner({ operators, passedOver }: Counted): void {
  if (operators.length > 0) return;
  if (passedOver.length > 0) throw refuse("signer-revoked", passedOver.join(", "));
  throw refuse("signer-unknown", "no key of this organisation's log");
}

function checkWindow({ state, now }: Session, { issuedAt, notBefore, expiresAt, runs }: JobManifest): void {
  const longest = state.policy.maxJobLifetimeMs;
  if (issuedAt > notBefore || notBefore >= expiresAt) throw refuse("job-lifetime", `from ${notBefore} to ${expiresAt}`);
  if (runs !== undefined && lastDueAt({ notBefore, runs }) >= expiresAt)
    throw refuse(
      "job-lifetime",
      `the last of ${runs.count} is due at ${lastDueAt({ notBefore, runs })}, after the end`,
    );
  if (expiresAt - issuedAt > longest) throw refuse("job-lifetime", `${expiresAt - issuedAt} ms, at most ${longest}`);
  if (issuedAt > now + MAX_CLOCK_AHEAD_MS) throw refuse("job-not-yet", `signed at ${issuedAt}, here it is ${now}`);
  if (expiresAt <= now) throw refuse("job-expired", `ended at ${expiresAt}, here it is ${now}`);
}

function checkPlace({ view }: Session, { keyHead }: JobManifest): void {
  const place = placeIn(view, keyHead);
  if (place === "forked") throw refuse("job-log-fork", `entry ${keyHead.seq} ${keyHead.id}`);
  if (place === "ahead") throw refuse("job-log-unknown", `entry ${keyHead.seq}, here ${view.state.head.seq}`);
}

/** The whole of it, opened by our own key. Throws `proposal-sealed`, `body-*`, `relay-odd`, besides the above. */
export async function openProposedJob({ session, keys }: Unlocked, proposal: FetchedProposal): Promise<ProposedJob> {
  const read = readProposedManifest(session, proposal);
  const { manifest } = read;
  if (placeAmong(manifest.readers, keys) < 0) throw new Fault("proposal-sealed", `job ${manifest.job}`);
  const [, , ...wraps] = proposal.parts;
  const expected = manifest.targets.length + manifest.readers.length;
  if (wraps.length !== expected) throw new Fault("relay-odd", `${wraps.length} wraps, must be ${expected}`);
  const sealed = { sealed: partAt(proposal.parts, 1), wraps: wraps.slice(manifest.targets.length), own: [keys] };
  return { ...read, work: await openBody(read, sealed) };
}
