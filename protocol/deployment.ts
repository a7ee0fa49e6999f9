// The signed deployment and the package that carries it: what a device needs to take an owner, and nothing that says yes for it (SPEC 6).
import * as v from "valibot";
import { fromBase64url, text, toBase64, toBase64url, utf8 } from "./bytes.ts";
import { pae, readEnvelopeOf, statementId } from "./envelope.ts";
import { Digest, Id, LogPlace, readFields, Time, Word, whole } from "./fields.ts";
import type { AdmitKey } from "./key-admission.ts";
import { judgeEvent, judgeGenesis } from "./key-log.ts";
import { type KeyLogState, keyBytes } from "./key-state.ts";
import {
  MAX_ADMITTED_GROUPS,
  MAX_DEPLOYMENT_LIFETIME_MS,
  MAX_EVENT_BYTES,
  MAX_KEY_EVENTS,
  MAX_KEY_LOG_BYTES,
  MAX_PACKAGE_BYTES,
  MAX_RELAY_URL_CHARS,
  MAX_RELAYS,
} from "./limits.ts";
import { refuse } from "./refusal.ts";
import { verifySignature } from "./signature.ts";

const RelayUrl = v.pipe(
  v.string(),
  v.maxLength(MAX_RELAY_URL_CHARS),
  v.regex(/^wss?:\/\/[A-Za-z0-9.:[\]-]+(\/[A-Za-z0-9._~/-]*)?$/),
);

const Deployment = v.strictObject({
  tenant: Digest,
  epoch: whole(1, 1_000_000),
  /** The key log as the signer knew it; the package carries the log to here. */
  anchor: LogPlace,
  relays: v.pipe(v.array(RelayUrl), v.minLength(1), v.maxLength(MAX_RELAYS)),
  /** The enrolment token whose secret travels beside this, outside the signature. */
  token: v.exactOptional(Id),
  class: Word,
  groups: v.pipe(v.array(Word), v.maxLength(MAX_ADMITTED_GROUPS)),
  issuedAt: Time,
  notAfter: Time,
});
export type Deployment = Readonly<v.InferOutput<typeof Deployment>>;

/** A package taken apart and proved: its log judged to the anchor, its deployment signed by a key active there. */
export type DeploymentPackage = {
  readonly deployment: Deployment;
  /** Statement id of the deployment. */
  readonly id: string;
  /** Operator ids of those who signed. */
  readonly signers: readonly string[];
  readonly state: KeyLogState;
  /** The log's entries with their ids, from the first to the anchor. */
  readonly entries: readonly { readonly id: string; readonly bytes: Uint8Array }[];
  readonly tokenSecret: Uint8Array | undefined;
};

const PackageFile = v.strictObject({
  keybound: v.literal("deployment-package"),
  version: v.literal(1),
  deployment: v.string(),
  keyLog: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(MAX_KEY_EVENTS)),
  tokenSecret: v.exactOptional(v.pipe(Digest)),
});

/** The bytes of a package file: JSON that a person can open, with the envelopes as base64. */
export function writePackage({
  deployment,
  keyLog,
  tokenSecret,
}: {
  deployment: Uint8Array;
  keyLog: readonly Uint8Array[];
  tokenSecret?: Uint8Array | undefined;
}): Uint8Array {
  const file = {
    keybound: "deployment-package",
    version: 1,
    deployment: toBase64(deployment),
    keyLog: keyLog.map(toBase64),
    ...(tokenSecret === undefined ? {} : { tokenSecret: toBase64url(tokenSecret) }),
  };
  return utf8(`${JSON.stringify(file, undefined, 1)}\n`);
}

/** Reads and proves a package, without a clock or a network. Throws `package-form`, `package-anchor` or a refusal of what is inside. */
export function readPackage(bytes: Uint8Array, admit: AdmitKey): DeploymentPackage {
  const file = packageFile(bytes);
  const envelope = readEnvelopeOf("deployment", decoded(file.deployment));
  const { state, entries } = judgeEntries(file.keyLog.map(decoded), admit);
  const signers = deploymentSigners(envelope, state);
  const deployment = readFields(Deployment, envelope.payload);
  if (deployment.tenant !== state.tenant) throw refuse("tenant-other", `tenant ${deployment.tenant}`);
  const { anchor } = deployment;
  if (state.head.seq !== anchor.seq || state.head.id !== anchor.id || deployment.epoch !== state.epoch) {
    throw refuse("package-anchor", `signed at ${anchor.seq}, the package's log ends at ${state.head.seq}`);
  }
  if (deployment.notAfter - deployment.issuedAt > MAX_DEPLOYMENT_LIFETIME_MS) {
    throw refuse("field-invalid", `notAfter: more than ${MAX_DEPLOYMENT_LIFETIME_MS} ms after issuedAt`);
  }
  const tokenSecret = file.tokenSecret === undefined ? undefined : fromBase64url(file.tokenSecret);
  return { deployment, id: statementId(envelope), signers, state, entries, tokenSecret };
}

function packageFile(bytes: Uint8Array): v.InferOutput<typeof PackageFile> {
  if (bytes.length > MAX_PACKAGE_BYTES)
    throw refuse("package-form", `${bytes.length} bytes, at most ${MAX_PACKAGE_BYTES}`);
  const parsed = v.safeParse(PackageFile, unverifiedJson(bytes), { abortEarly: true });
  if (!parsed.success)
    throw refuse("package-form", `${v.getDotPath(parsed.issues[0]) ?? "the file"} is missing or of another form`);
  return parsed.output;
}

function unverifiedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(text(bytes) ?? "") as unknown;
  } catch {
    // The one documented failure of JSON.parse: a SyntaxError.
    throw refuse("package-form", "not JSON to its end");
  }
}

function decoded(spelling: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(spelling);
  } catch {
    // The one documented failure: a SyntaxError. The spelling decides nothing here; what is decoded is signed.
    throw refuse("package-form", "an envelope that is not base64");
  }
}

function judgeEntries(entries: readonly Uint8Array[], admit: AdmitKey): Pick<DeploymentPackage, "state" | "entries"> {
  const [first, ...later] = entries;
  if (first === undefined) throw new Error("internal error: a package without a log");
  const total = entries.reduce((sum, { length }) => sum + length, 0);
  if (total > MAX_KEY_LOG_BYTES + entries.length * MAX_EVENT_BYTES)
    throw refuse("package-form", `a key log of ${total} bytes`);
  let { state, id } = judgeGenesis(first, admit);
  const judged = [{ id, bytes: first }];
  for (const bytes of later) {
    ({ state, id } = judgeEvent(state, bytes, admit));
    judged.push({ id, bytes });
  }
  return { state, entries: judged };
}

function deploymentSigners(envelope: ReturnType<typeof readEnvelopeOf>, state: KeyLogState): readonly string[] {
  const message = pae(envelope.payloadType, envelope.payload);
  const signed = envelope.signatures.flatMap(({ key, signature }) => {
    const operator = state.operators.find((candidate) => candidate.key === key);
    if (operator === undefined) return [];
    if (!verifySignature({ publicKey: keyBytes(operator.sig), message, signature }))
      throw refuse("signature-bad", `key ${key}`);
    return [operator];
  });
  if (signed.length === 0) throw refuse("signer-unknown", "no key that is active at the package's anchor");
  if (signed.every(({ role }) => role === "auditor")) throw refuse("signer-role", "an auditor may not deploy");
  return signed.map(({ operator }) => operator);
}
