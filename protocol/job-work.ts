// What a job asks of a device: a body of the form that its manifest's kind names (SPEC 8.3).
import { type CancelBody, readCancelBody } from "./cancel-body.ts";
import { digest } from "./digest.ts";
import { type FetchBody, readFetchBody } from "./fetch-body.ts";
import { type JobBody, readBody } from "./job-body.ts";
import type { JobKind } from "./policy.ts";
import { encodeStrict } from "./strict-json.ts";
import { readUpdateBody, type UpdateBody } from "./update-body.ts";

export type Bodies = {
  readonly run: JobBody;
  readonly cancel: CancelBody;
  readonly fetch: FetchBody;
  readonly update: UpdateBody;
};

export type JobWork = { readonly [K in JobKind]: { readonly kind: K; readonly body: Bodies[K] } }[JobKind];

/** Throws a `json-*` or `field-*` refusal. */
export function readWork(kind: JobKind, bytes: Uint8Array): JobWork {
  switch (kind) {
    case "run":
      return { kind, body: readBody(bytes) };
    case "cancel":
      return { kind, body: readCancelBody(bytes) };
    case "fetch":
      return { kind, body: readFetchBody(bytes) };
    case "update":
      return { kind, body: readUpdateBody(bytes) };
    default:
      throw new Error(`internal error: no body for ${JSON.stringify(kind satisfies never)}`);
  }
}

/** The body's bytes and what a manifest says of them. */
export function writeBody(body: Bodies[JobKind]): { bytes: Uint8Array; named: { sha256: string; size: number } } {
  const bytes = encodeStrict(body);
  return { bytes, named: { sha256: digest(bytes), size: bytes.length } };
}
