// What devices sign: enrolment, receipts in their chain, sealed and live output, inventory; and logins to a relay.
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { utf8 } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { checkProof, readEnrolment } from "../../protocol/enrolment.ts";
import { readInventory } from "../../protocol/inventory.ts";
import { MAX_OUTPUT_BYTES, MAX_READERS, MAX_RESULT_BYTES } from "../../protocol/limits.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import {
  joinLive,
  type KeptStream,
  openLive,
  openOutput,
  readLive,
  sealLive,
  sealOutput,
} from "../../protocol/output.ts";
import { Outcome, refusedOutcome } from "../../protocol/outcome.ts";
import { checkReceiptChain, readReceipt } from "../../protocol/receipt.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { readAccessGrant, readLogin } from "../../protocol/relay-login.ts";
import { DAY, MINUTE } from "../cast/clock.ts";
import { device, enrolmentOf } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { CHALLENGE, grantOf, loginOf, RELAY } from "../cast/login.ts";
import { person, raw } from "../cast/person.ts";
import { digestOf, seeded } from "../cast/random.ts";
import { inventoryOf, ReceiptChain } from "../cast/receipts.ts";
import { flipped } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { sealChunk } from "../../protocol/stream.ts";
import { codeOf } from "./refused.ts";

const tenant = new Tenant();
const grace = person("Grace");
tenant.add(grace);
const [web, mail] = [device("web-1"), device("mail-1")];
const from = (of: typeof web) => ({ sig: raw(of.signer), tenant: tenant.id });
const job = jobFor({ tenant, devices: [web], readers: [tenant.founder, grace] });
const readers = [raw(tenant.founder.sealing), raw(grace.sealing)];
const stream = (name: "stdout" | "stderr", head: string, tail = ""): KeptStream => ({
  stream: name,
  size: head.length + tail.length,
  head: utf8(head),
  tail: utf8(tail),
});
const kept = [stream("stdout", "first ", "last"), stream("stderr", "warning")];

describe("a receipt", () => {
  test("is its device's, of its tenant", () => {
    const { bytes } = new ReceiptChain(web, tenant).answer({ job });
    expect(readReceipt(bytes, from(web)).receipt.statement).toBe(job.statement);
    expect(codeOf(() => readReceipt(bytes, from(mail)))).toBe("signer-unknown");
    expect(codeOf(() => readReceipt(bytes, { ...from(web), tenant: digestOf("other") }))).toBe("tenant-other");
    const lied = new ReceiptChain(web, tenant).answer({ job, over: { device: mail.id } });
    expect(codeOf(() => readReceipt(lied.bytes, from(web)))).toBe("device-other");
  });

  test("follows the one before it, and the first follows the enrolment", () => {
    const chain = new ReceiptChain(web, tenant);
    const origin = chain.before;
    const [first, second, third] = [1, 2, 3].map(() => readReceipt(chain.answer({ job }).bytes, from(web)));
    if (first === undefined || second === undefined || third === undefined) throw new Error("three receipts");
    const follows = (before: { seq: number; id: string }, next: typeof first) =>
      codeOf(() => checkReceiptChain(before, next.receipt));
    expect(follows(origin, first)).toBe("accepted");
    expect(follows({ seq: 1, id: first.id }, second)).toBe("accepted");
    expect(follows({ seq: 1, id: first.id }, third)).toBe("receipt-chain");
    expect(follows({ seq: 1, id: third.id }, second)).toBe("receipt-chain");
  });
});

describe("output", () => {
  const answer = new ReceiptChain(web, tenant).answer({ job, kept, readers: [tenant.founder, grace] });
  const { receipt } = readReceipt(answer.bytes, from(web));
  const result = answer.result ?? new Uint8Array(0);

  test("opens for each reader of the manifest and for nobody else", () => {
    for (const reader of [tenant.founder, grace]) {
      expect(openOutput(result, { receipt, readers, pair: reader.sealing })).toEqual(kept);
    }
    const stranger = person("Mallory").sealing;
    expect(codeOf(() => openOutput(result, { receipt, readers, pair: stranger }))).toBe("output-sealed");
    expect(codeOf(() => openOutput(result, { receipt, readers: readers.toReversed(), pair: grace.sealing }))).toBe(
      "output-sealed",
    );
  });

  test("is what the device signed, to the byte", () => {
    const open = (bytes: Uint8Array) => codeOf(() => openOutput(bytes, { receipt, readers, pair: grace.sealing }));
    expect(open(flipped(result, -1))).toBe("output-digest");
    expect(open(result.subarray(0, -1))).toBe("output-digest");
    const sums = receipt.output.map((sum) => ({ ...sum, head: sum.head + 1 }));
    const lied = { ...receipt, output: sums };
    expect(codeOf(() => openOutput(result, { receipt: lied, readers, pair: grace.sealing }))).toBe("output-digest");
  });

  test("is watched live by its readers, chunk by chunk in place", () => {
    const key = seeded("live")(32);
    const wraps = openLive(key, { readers, statement: job.statement, random: seeded("wraps") });
    expect(joinLive(wraps, { readers, statement: job.statement, pair: grace.sealing })).toEqual(key);
    expect(joinLive(wraps, { readers, statement: digestOf("other"), pair: grace.sealing })).toBeUndefined();
    const chunk = { stream: "stderr", offset: 2 ** 40, bytes: utf8("warning") } as const;
    const sealed = sealLive(key, 1, chunk);
    expect(readLive(key, 1, sealed)).toEqual(chunk);
    expect(readLive(key, 2, sealed)).toBeUndefined();
    expect(readLive(key, 2, sealChunk(key, { index: 2, last: false }, utf8("\u0003no stream")))).toBeUndefined();
    expect(readLive(key, 2, sealChunk(key, { index: 2, last: false }, utf8("\u0001short")))).toBeUndefined();
  });
});

const codeOfEnrolment = (setup: Parameters<typeof enrolmentOf>[2]) =>
  codeOf(() => readEnrolment(enrolmentOf(web, tenant, setup).request, admitKey));

describe("an enrolment request", () => {
  test("is signed by the key whose fingerprint is the device", () => {
    expect(codeOfEnrolment({})).toBe("accepted");
    expect(codeOfEnrolment({ over: { device: mail.id } })).toBe("device-id");
    expect(codeOfEnrolment({ signer: mail.signer })).toBe("signer-unknown");
  });

  test("proves the token's secret to whoever holds it", () => {
    const secret = seeded("secret")(32);
    const enrolment = enrolmentOf(web, tenant, { tokenSecret: secret });
    expect(codeOf(() => checkProof(enrolment, secret))).toBe("accepted");
    expect(codeOf(() => checkProof(enrolment, seeded("other")(32)))).toBe("token-proof");
    expect(codeOf(() => checkProof({ ...enrolment, proof: undefined }, secret))).toBe("token-proof");
    const moved = enrolmentOf(mail, tenant).request;
    expect(codeOf(() => checkProof({ ...enrolment, request: moved }, secret))).toBe("token-proof");
  });

  test("brings no key of low order, to which sealing would fail for everybody", () => {
    for (const low of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(31)}`]) {
      const enc = Uint8Array.fromHex(low).toBase64({ alphabet: "base64url", omitPadding: true });
      expect(codeOf(() => readEnrolment(enrolmentOf(web, tenant, { over: { enc } }).request, admitKey))).toBe(
        "field-invalid",
      );
    }
  });
});

test("an inventory is its device's, of its tenant", () => {
  expect(readInventory(inventoryOf(web, tenant), from(web)).host).toBe("web-1");
  expect(codeOf(() => readInventory(inventoryOf(web, tenant), from(mail)))).toBe("signer-unknown");
  expect(codeOf(() => readInventory(inventoryOf(web, tenant, { device: mail.id }), from(web)))).toBe("device-other");
});

describe("a login", () => {
  const expected = { challenge: CHALLENGE, relays: [RELAY], channel: undefined };
  const read = (over = {}, at: Parameters<typeof readLogin>[1] = expected) =>
    codeOf(() => readLogin(loginOf(tenant, web.signer, over), at));

  test("answers this challenge, at this relay, on this connection, by the key that it names", () => {
    expect(read()).toBe("accepted");
    expect(read({ challenge: digestOf("old") })).toBe("login-challenge");
    expect(read({ relay: "evil.example:7000" })).toBe("login-relay");
    expect(read({ sig: raw(mail.signer) })).toBe("signer-unknown");
    const bound = { ...expected, channel: digestOf("channel") };
    expect(read({}, bound)).toBe("login-relay");
    expect(read({ channel: digestOf("another") }, bound)).toBe("login-relay");
    expect(read({ channel: bound.channel }, bound)).toBe("accepted");
  });

  test("of a client stands on its operator's grant, for as long as both last", () => {
    const at = (now: number, over = {}) =>
      codeOf(() => readAccessGrant(grantOf(tenant, grace, over), { state: tenant.state, now }));
    const { now } = tenant.clock;
    expect(at(now)).toBe("accepted");
    expect(at(now + 180 * DAY)).toBe("access-expired");
    expect(at(now + 400 * DAY, { notAfter: now + 500 * DAY })).toBe("access-expired");
    const ahead = (ms: number) => ({ issuedAt: now + ms, notAfter: now + 800 * DAY });
    expect(at(now, ahead(10 * MINUTE))).toBe("accepted");
    expect(at(now, ahead(10 * MINUTE + 1))).toBe("access-expired");
    expect(at(now, { operator: tenant.founder.operator })).toBe("signer-role");
    expect(at(now, { tenant: digestOf("other") })).toBe("tenant-other");
    const after = new Tenant();
    after.add(grace);
    after.revoke(grace);
    expect(codeOf(() => readAccessGrant(grantOf(tenant, grace), { state: after.state, now }))).toBe("signer-unknown");
  });
});

test("says nothing in a receipt by which a guess of a short output could be confirmed", () => {
  const short: KeptStream[] = [
    { stream: "stdout", size: 6, head: utf8("active"), tail: new Uint8Array(0) },
    { stream: "stderr", size: 6, head: utf8("active"), tail: new Uint8Array(0) },
  ];
  const sums = ["one", "two"].flatMap((word) =>
    sealOutput(short, { readers: [], statement: digestOf("a job"), random: seeded(word) }).output.map(
      ({ sha256 }) => sha256,
    ),
  );
  expect(sums).not.toContain(digest(utf8("active")));
  expect(sums[0]).not.toBe(sums[2]);
});

test("of both streams at their longest, sealed to as many readers as there may be, is a result that a relay takes", () => {
  const full = new Uint8Array(MAX_OUTPUT_BYTES / 2);
  const longest: KeptStream[] = (["stdout", "stderr"] as const).map((name) => ({
    stream: name,
    size: 2 * MAX_OUTPUT_BYTES,
    head: full,
    tail: full,
  }));
  const everyone = Array.from({ length: MAX_READERS }, (_, i) => raw(person(`reader ${i}`).sealing));
  const { sealed } = sealOutput(longest, {
    readers: everyone,
    statement: digestOf("a job"),
    random: seeded("longest"),
  });
  expect(sealed.length).toBeLessThanOrEqual(MAX_RESULT_BYTES);
});

test("a refusal with a long or broken detail is an outcome that a reader takes", () => {
  for (const detail of ["", "x".repeat(5_000), `${"x".repeat(199)}\u{1f600}`]) {
    const outcome = refusedOutcome(new Refusal("platform-lacks", detail));
    expect(v.is(Outcome, outcome)).toBe(true);
  }
});
