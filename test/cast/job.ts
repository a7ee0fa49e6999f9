// Signed and sealed jobs: manifest, body and wraps, with any field overridden or broken on purpose.
import { toBase64url } from "../../protocol/bytes.ts";
import { primitives } from "../../protocol/primitives/node.ts";
import { wrapKey } from "../../protocol/seal.ts";
import type { Signer } from "../../protocol/signature.ts";
import { sealStream } from "../../protocol/stream.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import type { Runnable, RunnableJob, SealedBody } from "../../protocol/verify-job.ts";
import { DAY, HOUR } from "./clock.ts";
import type { Device } from "./device.ts";
import { type Person, raw } from "./person.ts";
import { idOf, seeded } from "./random.ts";
import { idOfEnvelope, type Overrides, overridden, signFields } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

export type JobSetup = {
  readonly tenant: Tenant;
  readonly devices: readonly Device[];
  /** Who signs; the founder unless said. */
  readonly signers?: readonly Signer[];
  /** To whom the device seals the output; the founder unless said. */
  readonly readers?: readonly Person[];
  /** Two jobs of one word have the same id and salt. */
  readonly word?: string;
  /** Over the manifest's own fields. */
  readonly manifest?: Overrides;
  /** Over the body's own fields: by default `echo hello` under sh. */
  readonly body?: Overrides;
  /** Makes it a fetch of this file. */
  readonly fetches?: string;
  /** Makes it an update of the agent: the body but for the salt. */
  readonly updates?: Overrides;
  /** Makes it a cancel of these. */
  readonly cancels?: readonly Pick<Job, "job" | "statement" | "manifest">[];
};

export type Job = {
  readonly job: string;
  /** Statement id of the manifest. */
  readonly statement: string;
  readonly envelope: Uint8Array;
  readonly manifest: Readonly<Record<string, unknown>>;
  /** The body before sealing, as the manifest names it. */
  readonly plain: Uint8Array;
  readonly contentKey: Uint8Array;
  readonly body: Uint8Array;
  /** Wraps of the content key in the order of `devices`, then of `readers`. */
  readonly wraps: readonly Uint8Array[];
  /** What the relay hands to a device of the job. */
  readonly sealedFor: (of: Device) => SealedBody;
};

export const ECHO = {
  shell: "sh",
  source: "echo hello\n",
  args: [],
  env: [],
  user: { as: "system" },
  limits: { timeMs: HOUR, outputBytes: 1024 * 1024 },
  mayReboot: false,
} as const;

export function jobFor(setup: JobSetup): Job {
  const { tenant, devices, word = "job", signers = [tenant.founder.signer], readers = [tenant.founder] } = setup;
  const random = seeded(`job ${word}`);
  const salt = toBase64url(random(32));
  const { kind, work } = workOf(setup);
  const plain = encodeStrict(overridden({ salt, ...work }, setup.body));
  const own = manifestOf({ tenant, devices, readers, plain, kind, job: toBase64url(random(16)) });
  const manifest = overridden(own, setup.manifest);
  const envelope = signFields("job", manifest, signers);
  const statement = idOfEnvelope(envelope);
  const contentKey = random(32);
  const use = { purpose: "job-body", statement } as const;
  const recipients = [...devices, ...readers].map(({ sealing }) => sealing.publicKey);
  const wraps = recipients.map((recipient) => wrapKey(contentKey, { recipient, use, random }));
  const body = sealStream(contentKey, plain);
  const sealedFor = (of: Device) => ({ wrap: wraps[devices.indexOf(of)] ?? new Uint8Array(0), body });
  return { job: own.job, statement, envelope, manifest, plain, contentKey, body, wraps, sealedFor };
}

function workOf({ cancels, fetches, updates }: JobSetup) {
  if (updates !== undefined) return { kind: "update", work: updates } as const;
  if (fetches !== undefined) return { kind: "fetch", work: { path: fetches, maxBytes: 1024 * 1024 } } as const;
  return cancels === undefined
    ? ({ kind: "run", work: ECHO } as const)
    : ({ kind: "cancel", work: { jobs: cancels.map(named) } } as const);
}

/** A job that runs something; any other kind is this test's own mistake. */
export function asRun(runnable: RunnableJob): Runnable<"run"> {
  if (runnable.kind === "run") return runnable;
  throw new Error(`internal error: a job of kind ${runnable.kind}`);
}

/** A job as a cancel names it. */
function named({ job, statement, manifest }: Pick<Job, "job" | "statement" | "manifest">) {
  return { job, statement, expiresAt: manifest["expiresAt"] };
}

type Parts = {
  readonly tenant: Tenant;
  readonly devices: readonly Device[];
  readonly readers: readonly Person[];
  readonly plain: Uint8Array;
  readonly job: string;
  readonly kind: string;
};

function manifestOf({ tenant, devices, readers, plain, job, kind }: Parts) {
  const now = tenant.clock.now;
  return {
    tenant: tenant.id,
    job,
    batch: idOf(`batch of ${job}`),
    kind,
    targets: devices.map(({ id }) => id),
    body: { sha256: toBase64url(primitives.sha256(plain)), size: plain.length },
    suite: "x25519-chacha20poly1305",
    issuedAt: now,
    notBefore: now,
    expiresAt: now + DAY,
    keyHead: tenant.head,
    readers: readers.map(({ sealing }) => raw(sealing)),
  };
}
