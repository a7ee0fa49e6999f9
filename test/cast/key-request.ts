// Requests for keys and their approvals, made from people's names.
import { toBase64url } from "../../protocol/bytes.ts";
import { signKeyRequest } from "../../protocol/key-request.ts";
import { type Person, raw } from "./person.ts";
import { idOf, seeded } from "./random.ts";
import { idOfEnvelope, type Overrides, overridden, signFields } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

export type MadeRequest = { readonly bytes: Uint8Array; readonly id: string; readonly nonce: Uint8Array };

/** A request of this person for the keys that they have; the same nonce for the same name. */
export function requestOf(
  tenant: Tenant,
  who: Person,
  { purpose = "add", over = {} }: { readonly purpose?: "add" | "replace"; readonly over?: Overrides } = {},
): MadeRequest {
  const nonce = seeded(`nonce of ${who.name} ${who.generation}`)(32);
  const { operator, name, signer, sealing, recovery } = who;
  const fields = {
    tenant: tenant.id,
    purpose,
    operator,
    name,
    sig: raw(signer),
    enc: raw(sealing),
    recovery: raw(recovery),
    mode: "setup",
    time: tenant.clock.now,
    ...over,
  } as const;
  const bytes = signKeyRequest(fields, { nonce, signers: [signer, recovery] });
  return { bytes, id: idOfEnvelope(bytes), nonce };
}

/** The admin's half of the six digits. */
export function approverNonce(by: Person): Uint8Array {
  return seeded(`approval nonce of ${by.name}`)(32);
}

/** An approval of a request by this person, for ten minutes. */
export function approvalOf(tenant: Tenant, by: Person, request: string, over: Overrides = {}): Uint8Array {
  const fields = {
    tenant: tenant.id,
    session: idOf(`session for ${request}`),
    request,
    keyHead: tenant.head,
    nonce: toBase64url(approverNonce(by)),
    expiresAt: tenant.clock.now + 600_000,
  };
  return signFields("key-approval", overridden(fields, over), [by.signer]);
}
