// Devices with keys made from their names, their enrolment requests, and what they know when they judge a job.
import { toBase64url } from "../../protocol/bytes.ts";
import { type Enrolment, machineTag } from "../../protocol/enrolment.ts";
import { pae, readEnvelope } from "../../protocol/envelope.ts";
import { sealingPairOf } from "../../protocol/passphrase.ts";
import { primitives } from "../../protocol/primitives/node.ts";
import type { SealingPair } from "../../protocol/seal.ts";
import { type Signer, signerOf } from "../../protocol/signature.ts";
import type { JobContext } from "../../protocol/verify-job.ts";
import { raw } from "./person.ts";
import { digestOf, seeded } from "./random.ts";
import { idOfEnvelope, type Overrides, overridden, signFields } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

export type Device = {
  readonly id: string;
  readonly name: string;
  readonly signer: Signer;
  readonly sealing: SealingPair;
  /** 32-byte seed of the signing key. */
  readonly seed: Uint8Array;
};

export function device(name: string): Device {
  const seed = seeded(`device ${name} sig`)(32);
  const signer = signerOf(seed);
  return { id: signer.key, name, signer, sealing: sealingPairOf(seeded(`device ${name} enc`)(32)), seed };
}

/** What this device knows of its tenant: all of it, heard of at once and vouched for by everyone; `over` says what differs. */
export function contextOf(of: Device, tenant: Tenant, over: Partial<JobContext> = {}): JobContext {
  return {
    keyLog: tenant.view,
    device: of.id,
    class: "standard",
    agentVersion: 1,
    now: tenant.clock.now,
    heardAt: () => tenant.clock.now,
    vouches: new Map(tenant.state.operators.map(({ operator }) => [operator, tenant.clock.now])),
    claimed: () => undefined,
    asked: false,
    ...over,
  };
}

export type EnrolmentSetup = {
  readonly deployment?: string;
  readonly token?: string;
  readonly tokenSecret?: Uint8Array;
  readonly signer?: Signer;
  readonly over?: Overrides;
};

/** An enrolment request of this device, with its proof where there is a token's secret. */
export function enrolmentOf(of: Device, tenant: Tenant, setup: EnrolmentSetup = {}): Enrolment & { id: string } {
  const fields = {
    tenant: tenant.id,
    device: of.id,
    sig: raw(of.signer),
    enc: raw(of.sealing),
    host: `${of.name.toLowerCase()}.example`,
    platform: "linux",
    release: "Debian 13",
    arch: "x64",
    machineTag: toBase64url(machineTag(tenant.id, `machine of ${of.name}`)),
    deployment: setup.deployment ?? digestOf("a deployment"),
    token: setup.token,
    agent: "0.1.0",
    time: tenant.clock.now,
  };
  const request = signFields("enrolment-request", overridden(fields, setup.over), [setup.signer ?? of.signer]);
  const proof = setup.tokenSecret === undefined ? undefined : proofOf(request, setup.tokenSecret);
  return { request, proof, id: idOfEnvelope(request) };
}

function proofOf(request: Uint8Array, tokenSecret: Uint8Array): Uint8Array {
  const { payloadType, payload } = readEnvelope(request);
  return primitives.hmacSha256(tokenSecret, pae(payloadType, payload));
}
