// From what an operator asks for to signed jobs: one body, sealed once, and a manifest for every 256 devices.
import { toBase64url } from "../protocol/bytes.ts";
import { readEnvelope, statementId } from "../protocol/envelope.ts";
import type { JobManifest } from "../protocol/job.ts";
import { type JobBody, readBody, writeBody } from "../protocol/job-body.ts";
import { type KeyLogState, keyBytes, type Operator } from "../protocol/key-state.ts";
import { MAX_READERS, MAX_TARGETS } from "../protocol/limits.ts";
import type { RosterDevice } from "../protocol/roster.ts";
import { CONTENT_KEY_BYTES, type Random, wrapKey } from "../protocol/seal.ts";
import { sealStream } from "../protocol/stream.ts";
import { encodeStrict } from "../protocol/strict-json.ts";
import { signStatement, type StatementSigner } from "./keyring.ts";

/** What to run, as the device will read it, but for the salt. */
export type BodyFields = Omit<JobBody, "salt">;

export type JobRequest = {
  readonly body: BodyFields;
  readonly targets: readonly RosterDevice[];
  readonly expiresInMs: number;
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
  /** The parts of a `submit` frame: envelope, sealed body, wraps for targets, wraps for readers. */
  readonly parts: readonly Uint8Array[];
};

/** Signed and sealed jobs of one batch. Throws a `field-*` or `json-*` refusal for a body that devices would refuse. */
export async function composeJobs(request: JobRequest, signing: Signing): Promise<readonly ComposedJob[]> {
  const { random } = signing;
  const { bytes, named } = writeBody({ ...request.body, salt: toBase64url(random(32)) });
  readBody(bytes);
  const contentKey = random(CONTENT_KEY_BYTES);
  const sealed = sealStream(contentKey, bytes);
  const shared = { batch: toBase64url(random(16)), body: named, expiresInMs: request.expiresInMs, contentKey, sealed };
  const jobs: ComposedJob[] = [];
  for (let at = 0; at < request.targets.length; at += MAX_TARGETS) {
    jobs.push(await composeOne(request.targets.slice(at, at + MAX_TARGETS), shared, signing));
  }
  return jobs;
}

type Shared = Pick<JobManifest, "batch" | "body"> & {
  readonly expiresInMs: number;
  readonly contentKey: Uint8Array;
  readonly sealed: Uint8Array;
};

async function composeOne(targets: readonly RosterDevice[], shared: Shared, signing: Signing): Promise<ComposedJob> {
  const { state, now, random } = signing;
  const manifest: JobManifest = {
    tenant: state.tenant,
    job: typableId(random),
    batch: shared.batch,
    kind: "run",
    targets: targets.map(({ device }) => device),
    body: shared.body,
    suite: "x25519-chacha20poly1305",
    issuedAt: now,
    notBefore: now,
    expiresAt: now + shared.expiresInMs,
    keyHead: state.head,
    readers: readersOf(signing),
  };
  const envelope = await signStatement("job", encodeStrict(manifest), [signing.signer]);
  const statement = statementId(readEnvelope(envelope));
  const use = { purpose: "job-body", statement } as const;
  const wraps = [...targets.map(({ enc }) => enc), ...manifest.readers].map((key) =>
    wrapKey(shared.contentKey, { recipient: keyBytes(key), use, random }),
  );
  return { manifest, statement, targets, parts: [envelope, shared.sealed, ...wraps] };
}

function isAuditor({ role }: Operator): boolean {
  return role === "auditor";
}

/** Who may read body and output: this client, its operator, then auditors and admins, as many as a manifest takes. */
export function readersOf({ state, operator, access }: Pick<Signing, "state" | "operator" | "access">): string[] {
  const own = state.operators.filter((one) => one.operator === operator);
  const others = state.operators.filter((one) => one.operator !== operator && one.role !== "operator");
  const ordered = [...own, ...others.filter(isAuditor), ...others.filter((one) => !isAuditor(one))];
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
