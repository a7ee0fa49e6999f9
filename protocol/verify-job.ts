// The one door: from bytes that anybody may have sent to a job that this device may run (SPEC 8.2). Nothing else makes one.
import { digest } from "./digest.ts";
import type { CancelBody } from "./cancel-body.ts";
import { isFresh, type Vouches } from "./checkpoint.ts";
import { pae, readEnvelopeOf, statementId, type UnverifiedEnvelope } from "./envelope.ts";
import { type JobManifest, readManifest } from "./job.ts";
import { type Bodies, type JobWork, readWork } from "./job-work.ts";
import { isRevokedByFork, type KeyLogState, keyBytes, lastTerm, type Operator } from "./key-state.ts";
import { type KeyLogView, placeIn } from "./key-view.ts";
import { MAX_CLOCK_AHEAD_MS, MAX_JOB_LIFETIME_MS, WRAP_BYTES } from "./limits.ts";
import { type JobKind, jobThreshold } from "./policy.ts";
import { Refusal, refuse } from "./refusal.ts";
import { lastDueAt } from "./runs.ts";
import { type SealingPair, unwrapKey } from "./seal.ts";
import { verifySignature } from "./signature.ts";
import { openStream } from "./stream.ts";

/** What a device knows when it judges a job. */
export type JobContext = {
  readonly keyLog: KeyLogView;
  readonly device: string;
  readonly class: string;
  readonly agentVersion: number;
  /** The later of the system's clock and the floor that signed times have set. */
  readonly now: number;
  /** When this device learnt of a place of the key log. */
  readonly heardAt: (seq: number) => number | undefined;
  readonly vouches: Vouches;
  /** The statement that claimed this job id before. */
  readonly claimed: (job: string) => string | undefined;
  /** Whether the relay has been asked for the key log since this job came. */
  readonly asked: boolean;
};

/** What a device needs to know when an accepted job's turn comes. */
export type ResumeContext = Pick<JobContext, "keyLog" | "device" | "class" | "agentVersion" | "now">;

/** What a refusal is about, where a valid signature says that somebody is owed an answer. */
export type About = { readonly job: string; readonly statement: string; readonly readers: readonly string[] };

export type JobVerdict =
  | { readonly type: "verified"; readonly job: VerifiedJob }
  /** The signer knows later key events: fetch to this place, then judge again with `asked`. */
  | { readonly type: "behind"; readonly seq: number }
  | { readonly type: "refused"; readonly refusal: Refusal; readonly about?: About };

/** A job that passed every check of SPEC 8.2 on this device. */
export class VerifiedJob {
  readonly manifest: JobManifest;
  /** Its statement id. */
  readonly statement: string;
  /** Ids of the operators whose signatures count. */
  readonly signers: readonly string[];

  private constructor(manifest: JobManifest, statement: string, signers: readonly string[]) {
    this.manifest = manifest;
    this.statement = statement;
    this.signers = signers;
  }

  /** Judges a job's envelope in the order of SPEC 8.2; the first check that fails decides. Total for any bytes. */
  static judge(bytes: Uint8Array, context: JobContext): JobVerdict {
    let about: About | undefined;
    try {
      const envelope = readEnvelopeOf("job", bytes); // check 1, 2
      if (context.keyLog.state.closed) throw refuse("tenant-closed"); // check 3
      const signers = countedSigners(envelope, context); // check 4
      const manifest = readManifest(envelope.payload); // check 5
      const statement = statementId(envelope);
      about = { job: manifest.job, statement, readers: manifest.readers };
      checkAddress(manifest, context); // check 6, 7
      checkThreshold(manifest, signers, context); // check 8
      checkTime(manifest, context); // check 9
      checkLedger(manifest.job, statement, context); // check 10
      const place = placeIn(context.keyLog, manifest.keyHead); // check 11
      if (place === "forked") throw refuse("job-log-fork", `entry ${manifest.keyHead.seq} ${manifest.keyHead.id}`);
      if (place === "ahead" && !context.asked) return { type: "behind", seq: manifest.keyHead.seq };
      if (place === "ahead")
        throw refuse("job-log-unknown", `entry ${manifest.keyHead.seq}, here ${context.keyLog.state.head.seq}`);
      checkFreshness(manifest, signers, context); // check 12
      return { type: "verified", job: new VerifiedJob(manifest, statement, signers) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { type: "refused", refusal: error, ...(about === undefined ? {} : { about }) };
    }
  }

  /**
   * A job that this device accepted before, when its turn has come (SPEC 8.4): signatures, address and end are checked
   * again. A key that was ended with `cancel` since no longer counts; one that was changed with `keep` does. Throws a refusal.
   */
  static resume(bytes: Uint8Array, context: ResumeContext): VerifiedJob {
    const envelope = readEnvelopeOf("job", bytes);
    if (context.keyLog.state.closed) throw refuse("tenant-closed");
    const signers = standingSigners(envelope, context.keyLog.state);
    const manifest = readManifest(envelope.payload);
    checkAddress(manifest, context);
    checkThreshold(manifest, signers, context);
    if (manifest.expiresAt <= context.now) throw refuse("job-expired", `ended at ${manifest.expiresAt}`);
    return new VerifiedJob(manifest, statementId(envelope), signers);
  }

  /** Unseals the body and checks it against the manifest. Throws `body-*`, `json-*` or `field-*` (check 13, 14). */
  open(sealed: SealedBody, pair: SealingPair): RunnableJob {
    return Runnable.open(this, sealed, pair);
  }
}

/** A body as the relay carries it, with the wrap of its content key for this device. */
export type SealedBody = { readonly wrap: Uint8Array; readonly body: Uint8Array };

/** A verified job with its verified body: the only thing that can be run or done. */
export class Runnable<K extends JobKind> {
  readonly kind: K;
  readonly job: VerifiedJob;
  readonly body: Bodies[K];

  private constructor(job: VerifiedJob, { kind, body }: { readonly kind: K; readonly body: Bodies[K] }) {
    this.kind = kind;
    this.job = job;
    this.body = body;
  }

  static open(job: VerifiedJob, { wrap, body }: SealedBody, pair: SealingPair): RunnableJob {
    if (wrap.length !== WRAP_BYTES)
      throw refuse("body-sealed", `a wrap of ${wrap.length} bytes, must be ${WRAP_BYTES}`);
    const contentKey = unwrapKey(wrap, { pair, use: { purpose: "job-body", statement: job.statement } });
    const bytes = contentKey === undefined ? undefined : openStream(contentKey, body);
    if (bytes === undefined) throw refuse("body-sealed");
    const { sha256, size } = job.manifest.body;
    if (bytes.length !== size || digest(bytes) !== sha256) {
      throw refuse("body-digest", `${bytes.length} bytes, signed for ${size}`);
    }
    const work = readWork(job.manifest.kind, bytes);
    if (work.kind === "cancel") checkCancel(job.manifest, work.body);
    return Runnable.#of(job, work);
  }

  static #of(job: VerifiedJob, work: JobWork): RunnableJob {
    switch (work.kind) {
      case "run":
        return new Runnable(job, work);
      case "cancel":
        return new Runnable(job, work);
      case "fetch":
        return new Runnable(job, work);
      case "update":
        return new Runnable(job, work);
      default:
        throw new Error(`internal error: no job of ${JSON.stringify(work satisfies never)}`);
    }
  }
}

/** One of the kinds, told apart by `kind`: the form of `body` is the one that the manifest's kind names. */
export type RunnableJob = { readonly [K in JobKind]: Runnable<K> }[JobKind];

/** A cancel is for at once, and bars no job for longer than that one could have been accepted (SPEC 8.6). */
function checkCancel({ issuedAt, notBefore }: JobManifest, { jobs }: CancelBody): void {
  if (notBefore !== issuedAt) throw refuse("field-invalid", `notBefore: ${notBefore}, a cancel is for at once`);
  const latest = issuedAt + MAX_JOB_LIFETIME_MS + MAX_CLOCK_AHEAD_MS;
  const beyond = jobs.find(({ expiresAt }) => expiresAt > latest);
  if (beyond !== undefined) throw refuse("field-invalid", `jobs: expiresAt ${beyond.expiresAt}, at most ${latest}`);
}

// Check 4. A signature by an active key that does not fit refuses the whole job; keys that are not known are passed over.
function countedSigners(envelope: UnverifiedEnvelope, context: JobContext): readonly string[] {
  const { state } = context.keyLog;
  const message = pae(envelope.payloadType, envelope.payload);
  const counted: string[] = [];
  let weaker: Refusal | undefined;
  for (const { key, signature } of envelope.signatures) {
    const operator = state.operators.find((candidate) => candidate.key === key);
    const sig = operator?.sig ?? lastTerm(state, key)?.sig;
    if (sig === undefined) continue;
    const fits = verifySignature({ publicKey: keyBytes(sig), message, signature });
    if (!fits && operator !== undefined) throw refuse("signature-bad", `key ${key}`);
    if (!fits) continue;
    const obstacle = operator === undefined ? refuse("signer-revoked", `key ${key}`) : obstacleOf(operator, context);
    if (obstacle === undefined && operator !== undefined) counted.push(operator.operator);
    else weaker ??= obstacle;
  }
  if (counted.length === 0) throw weaker ?? refuse("signer-unknown", "no key of this tenant's log");
  return counted;
}

/** Operators whose signature stands: since it was made, no key of theirs was ended with `cancel` or revoked beside our line. */
function standingSigners(envelope: UnverifiedEnvelope, state: KeyLogState): readonly string[] {
  const message = pae(envelope.payloadType, envelope.payload);
  const standing = envelope.signatures.flatMap(({ key, signature }) => {
    const term = lastTerm(state, key);
    if (term === undefined || !verifySignature({ publicKey: keyBytes(term.sig), message, signature })) return [];
    const since = state.terms.filter((later) => later.operator === term.operator && later.from >= term.from);
    const isStanding = since.every(
      (later) => (later.to === undefined || later.jobs === "keep") && !isRevokedByFork(state, later.key),
    );
    return isStanding && term.role !== "auditor" ? [term.operator] : [];
  });
  if (standing.length === 0) throw refuse("signer-revoked", "no signature stands any more");
  return [...new Set(standing)];
}

function obstacleOf(operator: Operator, { keyLog: { state }, now, heardAt }: JobContext): Refusal | undefined {
  const { key } = operator;
  if (operator.role === "auditor") return refuse("signer-role", `key ${key} is an auditor's`);
  if (isRevokedByFork(state, key)) return refuse("signer-revoked", `key ${key}`);
  if (operator.notAfter <= now) return refuse("signer-expired", `key ${key} ended at ${operator.notAfter}`);
  const active = (heardAt(operator.delayFrom) ?? now) + operator.delayMs;
  return operator.delayMs > 0 && now < active ? refuse("signer-delayed", `key ${key} until ${active}`) : undefined;
}

function checkAddress(manifest: JobManifest, { keyLog, device, agentVersion }: ResumeContext): void {
  if (manifest.tenant !== keyLog.state.tenant) throw refuse("tenant-other", `tenant ${manifest.tenant}`);
  if (manifest.minAgent !== undefined && manifest.minAgent > agentVersion) {
    throw refuse("agent-old", `needs ${manifest.minAgent}, this is ${agentVersion}`);
  }
  if (!manifest.targets.includes(device)) throw refuse("device-other", `${manifest.targets.length} other devices`);
}

function checkThreshold(
  manifest: JobManifest,
  signers: readonly string[],
  { keyLog, class: deviceClass }: ResumeContext,
): void {
  const needed = jobThreshold(keyLog.state.policy, { kind: manifest.kind, class: deviceClass });
  if (signers.length < needed) throw refuse("signers-few", `${signers.length} of ${needed} operators signed`);
}

function checkTime(manifest: JobManifest, { keyLog, now }: JobContext): void {
  const { issuedAt, notBefore, expiresAt, runs } = manifest;
  const longest = Math.min(keyLog.state.policy.maxJobLifetimeMs, MAX_JOB_LIFETIME_MS);
  if (issuedAt > notBefore || notBefore >= expiresAt) throw refuse("job-lifetime", `from ${notBefore} to ${expiresAt}`);
  if (expiresAt - issuedAt > longest) throw refuse("job-lifetime", `${expiresAt - issuedAt} ms, at most ${longest}`);
  if (runs !== undefined && lastDueAt({ notBefore, runs }) >= expiresAt) {
    throw refuse(
      "job-lifetime",
      `the last of ${runs.count} is due at ${lastDueAt({ notBefore, runs })}, after the end`,
    );
  }
  if (issuedAt > now + MAX_CLOCK_AHEAD_MS) throw refuse("job-not-yet", `signed at ${issuedAt}, here it is ${now}`);
  if (expiresAt <= now) throw refuse("job-expired", `ended at ${expiresAt}, here it is ${now}`);
}

function checkLedger(job: string, statement: string, { claimed }: JobContext): void {
  const before = claimed(job);
  if (before === statement) throw refuse("job-repeated", `job ${job}`);
  if (before !== undefined) throw refuse("job-id-reused", `job ${job}`);
}

function checkFreshness(
  { issuedAt }: JobManifest,
  signers: readonly string[],
  { keyLog, vouches, now }: JobContext,
): void {
  if (!isFresh(keyLog.state, { signers, issuedAt, vouches, now })) {
    throw refuse("job-stale", `nobody else vouched within ${keyLog.state.policy.freshness.maxAgeMs} ms`);
  }
}
