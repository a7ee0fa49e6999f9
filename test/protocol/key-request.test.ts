// Asking for a key and approving it: what an entry may carry, and that two people see the same six digits only where nobody stands between them.
import { describe, expect, test } from "vitest";
import { toBase64url } from "../../protocol/bytes.ts";
import { longCode, readApproval, sixDigits } from "../../protocol/key-approval.ts";
import { checkReveal, readKeyRequest } from "../../protocol/key-request.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { judgeEvent } from "../../protocol/key-log.ts";
import { approvalOf, requestOf } from "../cast/key-request.ts";
import { person, raw, renewed } from "../cast/person.ts";
import { seeded } from "../cast/random.ts";
import { edited, signFields } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { codeOf } from "./refused.ts";

const ada = person("Ada", "admin");
const grace = person("Grace");
const tenant = new Tenant({ founder: ada });

const carrying = (bytes: Uint8Array, over: object = {}, of = tenant) =>
  of.sign({ type: "operator.add", key: { ...of.keyOf(grace), ...over }, request: toBase64url(bytes) }, [ada.signer]);
const judged = (entry: Uint8Array, of = tenant) => codeOf(() => void judgeEvent(of.state, entry, admitKey));

describe("an entry that carries a request", () => {
  const { bytes } = requestOf(tenant, grace);

  test("is taken without its new keys' signatures, whenever it was asked", () => {
    expect(judged(carrying(bytes))).toBe("accepted");
  });

  test("is taken after the log has grown since the request", () => {
    const later = new Tenant({ founder: ada });
    const asked = requestOf(later, grace);
    later.setPolicy({ prompt: "day" });
    expect(judged(carrying(asked.bytes, {}, later), later)).toBe("accepted");
  });

  const bob = person("Bob");
  const others: readonly (readonly [what: string, bytes: Uint8Array, over: object, code: string])[] = [
    ["for another signature key", bytes, { sig: raw(bob.signer) }, "log-request-other"],
    ["for another recovery key", bytes, { recovery: raw(bob.recovery) }, "log-request-other"],
    ["for another sealing key", bytes, { enc: raw(bob.sealing) }, "log-request-other"],
    ["for another person", bytes, { operator: bob.operator }, "log-request-other"],
    ["for a key of another mode", bytes, { mode: "passphrase" }, "log-request-other"],
    ["to replace a key", requestOf(tenant, grace, { purpose: "replace" }).bytes, {}, "log-request-other"],
    ["in another tenant", requestOf(new Tenant({ name: "Other" }), grace).bytes, {}, "log-request-other"],
    ["that its keys did not sign", unsigned(bytes), {}, "log-proof-missing"],
    ["whose signature was changed", spoiledSignature(bytes), {}, "signature-bad"],
    ["that is another statement", approvalOf(tenant, ada, requestOf(tenant, grace).id), {}, "envelope-type"],
  ];
  test.each(others)("%s is refused", (_what, carried, over, code) => {
    expect(judged(carrying(carried, over))).toBe(code);
  });

  test("still needs an admin", () => {
    const entry = tenant.sign({ type: "operator.add", key: tenant.keyOf(grace), request: toBase64url(bytes) }, [
      grace.signer,
    ]);
    expect(judged(entry)).toBe("signer-unknown");
  });

  test("serves once: the key does not return after it was revoked", () => {
    const own = new Tenant({ founder: ada });
    const asked = requestOf(own, grace);
    own.take(carrying(asked.bytes, {}, own));
    own.revoke(grace);
    expect(judged(carrying(asked.bytes, {}, own), own)).toBe("log-key-reused");
  });

  test("replaces a known person's key, and the old one ends", () => {
    const own = new Tenant({ founder: ada });
    own.add(grace);
    const next = renewed(grace);
    const { bytes: asked } = requestOf(own, next, { purpose: "replace" });
    const entry = own.sign({ type: "operator.replace", key: own.keyOf(next), request: toBase64url(asked) }, [
      ada.signer,
    ]);
    const { state } = own.take(entry);
    expect(state.operators.find(({ operator }) => operator === grace.operator)?.key).toBe(next.signer.key);
    expect(state.terms.find(({ key }) => key === grace.signer.key)?.end).toBe("replaced");
  });
});

describe("a request", () => {
  test("reveals only the nonce that it was made with", () => {
    const { bytes, nonce } = requestOf(tenant, grace);
    const { request } = readKeyRequest(bytes, admitKey);
    expect(codeOf(() => checkReveal(request, nonce))).toBe("accepted");
    expect(codeOf(() => checkReveal(request, seeded("another")(32)))).toBe("code-commit");
    expect(codeOf(() => checkReveal({ ...request, name: "Mallory" }, nonce))).toBe("code-commit");
    expect(codeOf(() => checkReveal(request, nonce.subarray(0, 31)))).toBe("code-commit");
  });

  test("with one key in two places is refused", () => {
    const { request } = readKeyRequest(requestOf(tenant, grace).bytes, admitKey);
    const twice = signFields("key-request", { ...request, recovery: request.sig }, [grace.signer]);
    expect(codeOf(() => void readKeyRequest(twice, admitKey))).toBe("log-key-reused");
  });

  test("has a long code that no other has", () => {
    const code = longCode(requestOf(tenant, grace).id);
    expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}$/);
    expect(longCode(requestOf(tenant, person("Bob")).id)).not.toBe(code);
  });
});

describe("an approval", () => {
  const { id } = requestOf(tenant, grace);

  test("is an admin's of this log", () => {
    expect(readApproval(approvalOf(tenant, ada, id), tenant.view).approver.name).toBe("Ada");
  });

  test("by an operator, a stranger, in another tenant or beside the log is refused", () => {
    const own = new Tenant({ founder: ada });
    own.add(grace);
    const code = (bytes: Uint8Array) => codeOf(() => void readApproval(bytes, own.view));
    expect(code(approvalOf(own, grace, id))).toBe("signer-role");
    expect(code(approvalOf(own, person("Mallory"), id))).toBe("signer-unknown");
    expect(code(approvalOf(own, ada, id, { tenant: new Tenant({ name: "Other" }).id }))).toBe("tenant-other");
    expect(code(approvalOf(own, ada, id, { keyHead: { seq: 0, id: own.head.id } }))).toBe("log-fork");
    expect(code(spoiledSignature(approvalOf(own, ada, id)))).toBe("signature-bad");
  });
});

describe("the six digits", () => {
  const asked = requestOf(tenant, grace);
  const transcript = {
    request: asked.id,
    approval: "a".repeat(43),
    requesterNonce: asked.nonce,
    approverNonce: seeded("approver")(32),
  };

  test("are the same for the same transcript, and six", () => {
    expect(sixDigits(transcript)).toBe(sixDigits({ ...transcript }));
    expect(sixDigits(transcript)).toMatch(/^\d{6}$/);
  });

  test("change with each part of it", () => {
    const changes = [{ request: "b".repeat(43) }, { approval: "b".repeat(43) }, { requesterNonce: seeded("x")(32) }];
    const seen = new Set([transcript, ...changes.map((over) => ({ ...transcript, ...over }))].map(sixDigits));
    expect(seen.size).toBe(4);
  });

  // The commitment is what holds: a relay that learns both nonces before it has to choose its own request's would find a match.
  test("cannot be reached by trying every key, because the nonces come after the request is fixed", () => {
    const wanted = sixDigits(transcript);
    const byRelay = Array.from({ length: 3000 }, (_, i) =>
      sixDigits({
        ...transcript,
        request: toBase64url(seeded(`relay's request ${i}`)(32)),
        approverNonce: seeded(`n${i}`)(32),
      }),
    );
    // What a relay prepares before the reveal fits no better than chance: 3,000 tries in a million.
    expect(byRelay.filter((digits) => digits === wanted).length).toBeLessThan(3);
  });

  test("are spread evenly", () => {
    const first = Array.from({ length: 5000 }, (_, i) =>
      sixDigits({ ...transcript, approverNonce: seeded(`n${i}`)(32) }).charAt(0),
    );
    for (const digit of "0123456789") expect(first.filter((one) => one === digit).length).toBeGreaterThan(400);
  });
});

function unsigned(bytes: Uint8Array): Uint8Array {
  const { request } = readKeyRequest(bytes, () => undefined);
  return signFields("key-request", request, [ada.signer]);
}

function spoiledSignature(bytes: Uint8Array): Uint8Array {
  return edited(bytes, (envelope) => ({
    ...envelope,
    signatures: envelope.signatures.map(({ keyid, sig }) => ({
      keyid,
      sig: sig.replace(/^.{4}/, sig.startsWith("AAAA") ? "BBBB" : "AAAA"),
    })),
  }));
}
