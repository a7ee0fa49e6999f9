// From what an operator asks for to signed jobs: one body, sealed once, and a manifest for every 256 devices that ask for as
// many signatures.
import { toBase64url } from "../../protocol/bytes.ts";
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import { blobsOf } from "../../protocol/job-file.ts";
import type { JobManifest } from "../../protocol/job.ts";
import { type Bodies, readWork, writeBody } from "../../protocol/job-work.ts";
import { type KeyLogState, keyBytes } from "../../protocol/key-state.ts";
import { MAX_READERS, MAX_TARGETS } from "../../protocol/limits.ts";
import { type JobKind, jobThreshold } from "../../protocol/policy.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Runs } from "../../protocol/runs.ts";
import { CONTENT_KEY_BYTES, type Random, wrapKey } from "../../protocol/seal.ts";
import { sealStream } from "../../protocol/stream.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import { signStatement, type StatementSigner } from "../unlock/keyring.ts";

/** What to run, as the device will read it, but for the salt. */
export type BodyFields = Omit<Bodies["run"], "salt">;

/** What to do, of whatever kind, but for the salt. */
export type WorkFields = {
  readonly [K in JobKind]: { readonly kind: K; readonly body: Omit<Bodies[K], "salt"> };
}[JobKind];

export type JobRequest = {
  readonly work: WorkFields;
  readonly targets: readonly RosterDevice[];
  readonly expiresInMs: number;
  /** A fresh one unless said. */
  readonly batch?: string;
  /** At once unless said. */
  readonly notBefore?: number;
  readonly runs?: Runs;
};

export type Signing = {
  readonly state: KeyLogState;
  readonly signer: StatementSigner;
  /** Own operator id, and raw encryption key of this client. */
  readonly operator: string;
  readonly access: Uint8Array;
  readonly now: number;
  readonly random: Random;
};

export type ComposedJob = {
  readonly manifest: JobManifest;
  readonly statement: string;
  readonly targets: readonly RosterDevice[];
  /** How many people have to sign it: each of its devices asks for as many. */
  readonly needed: number;
  /** The parts of a `submit` frame: envelope, sealed body, wraps for targets, wraps for readers. */
  readonly parts: readonly Uint8Array[];
  /** Files that it brings, by the digests that the relay has them by. */
  readonly blobs: readonly string[];
};

/** Signed and sealed jobs of one batch. Throws a `field-*` or `json-*` refusal for a body that devices would refuse. */
export async function composeJobs(request: JobRequest, signing: Signing): Promise<readonly ComposedJob[]> {
  const { random } = signing;
  const { kind, body } = request.work;
  const { bytes, named } = writeBody({ ...body, salt: toBase64url(random(32)) });
  readWork(kind, bytes);
  const contentKey = random(CONTENT_KEY_BYTES);
  const sealed = sealStream(contentKey, bytes);
  const { expiresInMs, notBefore = 0, runs, batch = toBase64url(random(16)) } = request;
  const when = { expiresInMs, notBefore, ...(runs === undefined ? {} : { runs }) };
  const shared = { kind, batch, body: named, ...when, contentKey, sealed, blobs: workBlobs(request.work) };
  const jobs: ComposedJob[] = [];
  for (const [needed, targets] of byNeed(request, signing.state)) {
    for (let at = 0; at < targets.length; at += MAX_TARGETS) {
      jobs.push(await composeOne({ targets: targets.slice(at, at + MAX_TARGETS), needed }, shared, signing));
    }
  }
  return jobs;
}

/** Files that work brings. */
export function workBlobs(work: WorkFields): readonly string[] {
  if (work.kind === "update") return [work.body.archive.blob];
  return work.kind === "run" ? blobsOf(work.body.files) : [];
}

/** What a frame says of them. */
export function blobsField(blobs: readonly string[]): { readonly blobs?: readonly string[] } {
  return blobs.length === 0 ? {} : { blobs };
}

/** Devices that ask for as many signatures together, those that ask for fewest first. */
function byNeed(
  { targets, work: { kind } }: JobRequest,
  { policy }: KeyLogState,
): readonly (readonly [number, readonly RosterDevice[]])[] {
  const groups = Map.groupBy(targets, (device) => jobThreshold(policy, { kind, class: device.class }));
  return [...groups].toSorted(([a], [b]) => a - b);
}

type Shared = Pick<JobManifest, "kind" | "batch" | "body" | "notBefore" | "runs"> & {
  readonly expiresInMs: number;
  readonly contentKey: Uint8Array;
  readonly sealed: Uint8Array;
  readonly blobs: readonly string[];
};

async function composeOne(
  { targets, needed }: Pick<ComposedJob, "targets" | "needed">,
  shared: Shared,
  signing: Signing,
): Promise<ComposedJob> {
  const { state, now, random } = signing;
  const manifest: JobManifest = {
    tenant: state.tenant,
    job: typableId(random),
    batch: shared.batch,
    kind: shared.kind,
    targets: targets.map(({ device }) => device),
    body: shared.body,
    suite: "x25519-chacha20poly1305",
    issuedAt: now,
    notBefore: Math.max(now, shared.notBefore),
    expiresAt: now + shared.expiresInMs,
    keyHead: state.head,
    readers: readersOf({ ...signing, needed }),
    ...(shared.runs === undefined ? {} : { runs: shared.runs }),
  };
  const envelope = await signStatement("job", encodeStrict(manifest), [signing.signer]);
  const statement = statementId(readEnvelope(envelope));
  const use = { purpose: "job-body", statement } as const;
  const wraps = [...targets.map(({ enc }) => enc), ...manifest.readers].map((key) =>
    wrapKey(shared.contentKey, { recipient: keyBytes(key), use, random }),
  );
  return { manifest, statement, targets, needed, parts: [envelope, shared.sealed, ...wraps], blobs: shared.blobs };
}

type Readers = Pick<Signing, "state" | "operator" | "access"> & { readonly needed?: number };

/**
 * Who may read body and output: this client, its operator, then auditors and admins, as many as a manifest takes; under a job
 * that needs another signature then operators too, because whoever co-signs has to see what.
 */
export function readersOf({ state, operator, access, needed = 1 }: Readers): string[] {
  const own = state.operators.filter((one) => one.operator === operator);
  const others = state.operators.filter((one) => one.operator !== operator);
  const roles = needed > 1 ? (["auditor", "admin", "operator"] as const) : (["auditor", "admin"] as const);
  const ordered = [...own, ...roles.flatMap((role) => others.filter((one) => one.role === role))];
  const keys = [toBase64url(access), ...ordered.map(({ enc }) => enc)];
  return [...new Set(keys)].slice(0, MAX_READERS);
}

/** A fresh id that a command line does not take for an option. */
function typableId(random: Random): string {
  for (;;) {
    const id = toBase64url(random(16));
    if (!id.startsWith("-")) return id;
  }
}
