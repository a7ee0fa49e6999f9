// A device says how it stands to its owner: what it knows of the key log, what package it refused last, where it went or that the agent was uninstalled (SPEC 9.6).
import * as v from "valibot";
import { readEnvelopeOf, signPayload } from "./envelope.ts";
import { Digest, LogPlace, label, Name, readFields, Seq, Time, whole } from "./fields.ts";
import { keyBytes } from "./key-state.ts";
import { MAX_REPORT_BYTES } from "./limits.ts";
import { refuse } from "./refusal.ts";
import type { Signer } from "./signature.ts";
import { checkSignedBy } from "./signed-by.ts";
import { encodeStrict } from "./strict-json.ts";

export const RefusedPackage = v.strictObject({
  /** Whose package it was. */
  tenant: Digest,
  name: Name,
  epoch: whole(1, 1_000_000),
  code: v.pipe(v.string(), v.regex(/^[a-z][a-z-]{0,39}$/)),
  time: Time,
});
export type RefusedPackage = Readonly<v.InferOutput<typeof RefusedPackage>>;

const Fields = v.strictObject({
  tenant: Digest,
  device: Digest,
  /** The key log as the device knows it. */
  keyHead: LogPlace,
  /** The last package that it refused, if any did not belong to its owner or was too old. */
  refused: v.exactOptional(RefusedPackage),
  /** The owner that it has now, and its identity there. The last word of the identity that signs this. */
  moved: v.exactOptional(v.strictObject({ tenant: Digest, device: Digest })),
  /** The agent was uninstalled, and its journal ended here. The last word of the identity that signs this. */
  left: v.exactOptional(v.strictObject({ journal: v.strictObject({ seq: Seq, hash: Digest }) })),
  agent: label(32),
  time: Time,
});

/** An identity ends in one way at the most. */
export const BindingReport = v.pipe(
  Fields,
  v.check(({ moved, left }) => moved === undefined || left === undefined, "moved and left in one report"),
);
export type BindingReport = Readonly<v.InferOutput<typeof BindingReport>>;

export function signBindingReport(report: BindingReport, signer: Signer): Uint8Array {
  return signPayload("binding-report", encodeStrict(report), [signer]);
}

/** A report signed by the device whose raw key is `sig`. */
export function readBindingReport(
  bytes: Uint8Array,
  { sig, tenant }: { readonly sig: string; readonly tenant: string },
): BindingReport {
  const envelope = readEnvelopeOf("binding-report", bytes);
  const device = checkSignedBy(envelope, keyBytes(sig));
  const report = readFields(BindingReport, envelope.payload, MAX_REPORT_BYTES);
  if (report.tenant !== tenant) throw refuse("tenant-other", `tenant ${report.tenant}`);
  if (report.device !== device) throw refuse("device-other", `device ${report.device}`);
  return report;
}
