// Every decoder is total: whatever bytes come, it gives a value or a refusal, and soon.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromBase64Envelope, fromBase64url, toBase64url, utf8 } from "../../protocol/bytes.ts";
import { readCheckpoint } from "../../protocol/checkpoint.ts";
import { fromCrockford } from "../../protocol/crockford.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { followDeviceEntry } from "../../protocol/device-entry.ts";
import { readBindingReport } from "../../protocol/binding-report.ts";
import { readEnrolment } from "../../protocol/enrolment.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import { readFrame, writeFrame } from "../../protocol/frame.ts";
import { readInventory } from "../../protocol/inventory.ts";
import { readBody } from "../../protocol/job-body.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { readApproval } from "../../protocol/key-approval.ts";
import { readKeyRequest } from "../../protocol/key-request.ts";
import { judgeEvent, judgeGenesis, noteFork } from "../../protocol/key-log.ts";
import { joinLive, openOutput, readLive } from "../../protocol/output.ts";
import { readPin } from "../../protocol/pin.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { readAccessGrant, readLogin } from "../../protocol/relay-login.ts";
import { judgeRosterEvent } from "../../protocol/roster.ts";
import { readSetupCode, writeSetupCode } from "../../protocol/setup-code.ts";
import { encodeStrict, parseStrict } from "../../protocol/strict-json.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import {
  FromDevice,
  FromNewcomer,
  FromOperator,
  FromStranger,
  readHeader,
  ToDevice,
  ToOperator,
} from "../../protocol/wire.ts";
import { contextOf, device, enrolmentOf } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { reportOf } from "../cast/binding-report.ts";
import { approvalOf, requestOf } from "../cast/key-request.ts";
import { CHALLENGE, checkpointOf, grantOf, loginOf, RELAY } from "../cast/login.ts";
import { packageOf } from "../cast/package.ts";
import { person, raw } from "../cast/person.ts";
import { seeded } from "../cast/random.ts";
import { inventoryOf, ReceiptChain } from "../cast/receipts.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { genesisOf, Tenant } from "../cast/tenant.ts";
import { reencoded, resigned, spoiled } from "./mutations.ts";

const RUNS = { numRuns: 150, seed: 20_260_105 };
/** Far more than any of it takes; what grows with a stranger's bytes would take more. */
const LONG_MS = 2_000;
const SLOW = { ...RUNS, numRuns: 60 };

const ada = person("Ada", "admin");
const grace = person("Grace");
const tenant = new Tenant({ founder: ada });
tenant.add(grace);
const web = device("web-1");
const from = { sig: raw(web.signer), tenant: tenant.id };
const roster = new RosterLog(tenant);
roster.addToken("rollout", { maxUses: 9 });
const job = jobFor({ tenant, devices: [web] });
const kept = [{ stream: "stdout", size: 6, head: utf8("hello\n"), tail: new Uint8Array(0) }] as const;
const answer = new ReceiptChain(web, tenant).answer({ job, kept });
const result = answer.result ?? new Uint8Array(0);

/** Milliseconds until an act gave a value or a refusal; any other error is let through. */
function settled(act: () => unknown): number {
  const began = performance.now();
  try {
    act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  return performance.now() - began;
}

/** The longest time that an act took to settle over all that the arbitrary makes. */
function slowest<T>(arbitrary: fc.Arbitrary<T>, act: (given: T) => unknown, runs = RUNS): number {
  let longest = 0;
  const property = fc.property(arbitrary, (given) => {
    longest = Math.max(
      longest,
      settled(() => act(given)),
    );
  });
  fc.assert(property, runs);
  return longest;
}

const nextEvent = tenant.sign({ type: "policy.set", policy: tenant.state.policy }, [ada.signer]);
const revocation = tenant.sign(
  { type: "operator.revoke", operator: grace.operator, key: grace.signer.key, reason: "left", jobs: "cancel" },
  [ada.signer],
);
const bob = person("Bob");
const asked = requestOf(tenant, bob);
const approved = tenant.sign({ type: "operator.add", key: tenant.keyOf(bob), request: toBase64url(asked.bytes) }, [
  ada.signer,
]);
const rosterEntry = roster.sign({ type: "device.class", device: web.id, class: "kiosk" }, [ada.signer]);
const standing = { keySeq: -1, seq: -1, name: undefined, class: "standard" };

const statements: readonly (readonly [
  name: string,
  kind: Parameters<typeof resigned>[0],
  valid: Uint8Array,
  signers: Parameters<typeof resigned>[2],
  read: (bytes: Uint8Array) => unknown,
])[] = [
  ["judgeGenesis", "key-event", genesisOf(), [ada.signer, ada.recovery], (bytes) => judgeGenesis(bytes, admitKey)],
  ["judgeEvent", "key-event", nextEvent, [ada.signer], (bytes) => judgeEvent(tenant.state, bytes, admitKey)],
  [
    "judgeEvent of a revocation",
    "key-event",
    revocation,
    [ada.signer],
    (bytes) => judgeEvent(tenant.state, bytes, admitKey),
  ],
  [
    "judgeEvent of an approval that carries a request",
    "key-event",
    approved,
    [ada.signer],
    (bytes) => judgeEvent(tenant.state, bytes, admitKey),
  ],
  [
    "readKeyRequest",
    "key-request",
    asked.bytes,
    [bob.signer, bob.recovery],
    (bytes) => readKeyRequest(bytes, admitKey),
  ],
  [
    "readApproval",
    "key-approval",
    approvalOf(tenant, ada, asked.id),
    [ada.signer],
    (bytes) => readApproval(bytes, tenant.view),
  ],
  [
    "readBindingReport",
    "binding-report",
    reportOf(web, tenant),
    [web.signer],
    (bytes) => readBindingReport(bytes, from),
  ],
  ["noteFork", "key-event", revocation, [ada.signer], (bytes) => noteFork(tenant.state, bytes, tenant.view.idAt)],
  [
    "judgeRosterEvent",
    "roster-event",
    roster.log[0] ?? rosterEntry,
    [ada.signer],
    (bytes) => judgeRosterEvent(new RosterLog(tenant).roster, bytes, tenant.view),
  ],
  [
    "followDeviceEntry",
    "roster-event",
    rosterEntry,
    [ada.signer],
    (bytes) => followDeviceEntry(standing, bytes, { keyLog: tenant.view, device: web.id }),
  ],
  [
    "readCheckpoint",
    "checkpoint",
    checkpointOf(tenant, grace),
    [grace.signer],
    (bytes) => readCheckpoint(bytes, tenant.view),
  ],
  ["VerifiedJob.judge", "job", job.envelope, [ada.signer], judgeAndOpen],
  [
    "VerifiedJob.resume",
    "job",
    job.envelope,
    [ada.signer],
    (bytes) => VerifiedJob.resume(bytes, contextOf(web, tenant)),
  ],
  [
    "readEnrolment",
    "enrolment-request",
    enrolmentOf(web, tenant).request,
    [web.signer],
    (bytes) => readEnrolment(bytes, admitKey),
  ],
  ["readReceipt and openOutput", "receipt", answer.bytes, [web.signer], readAndOpen],
  ["readInventory", "inventory", inventoryOf(web, tenant), [web.signer], (bytes) => readInventory(bytes, from)],
  [
    "readLogin",
    "relay-login",
    loginOf(tenant, web.signer),
    [web.signer],
    (bytes) => readLogin(bytes, { challenge: CHALLENGE, relays: [RELAY], channel: undefined }),
  ],
  [
    "readAccessGrant",
    "access-grant",
    grantOf(tenant, grace),
    [grace.signer],
    (bytes) => readAccessGrant(bytes, { state: tenant.state, now: tenant.clock.now }),
  ],
];

function judgeAndOpen(bytes: Uint8Array): void {
  const verdict = VerifiedJob.judge(bytes, contextOf(web, tenant));
  if (verdict.type === "verified") verdict.job.open(job.sealedFor(web), web.sealing);
}

function readAndOpen(bytes: Uint8Array): void {
  const { receipt } = readReceipt(bytes, from);
  openOutput(result, { receipt, readers: [raw(ada.sealing)], pair: ada.sealing });
}

describe("a statement that was spoiled on its way, or signed spoiled", () => {
  test.each(statements)("settles in %s", (_name, kind, valid, signers, read) => {
    const bytes = fc.oneof(spoiled([valid, job.envelope]), reencoded(valid), resigned(kind, valid, signers));
    expect(slowest(bytes, read)).toBeLessThan(LONG_MS);
  });
});

describe("other bytes", () => {
  const frame = writeFrame({ type: "taken", job: job.job }, [job.envelope, result]);
  const packed = packageOf(tenant);

  test("settle as envelopes, strict JSON and bodies", () => {
    expect(slowest(fc.oneof(spoiled([job.envelope]), reencoded(job.envelope)), readEnvelope)).toBeLessThan(LONG_MS);
    expect(slowest(spoiled([job.plain]), (bytes) => parseStrict(bytes, 65_536))).toBeLessThan(LONG_MS);
    expect(slowest(spoiled([job.plain]), readBody)).toBeLessThan(LONG_MS);
  });

  test("settle as frames and headers of every direction", () => {
    const unions = [FromStranger, FromNewcomer, FromDevice, FromOperator, ToDevice, ToOperator];
    expect(
      slowest(spoiled([frame]), (bytes) => {
        const { header } = readFrame(bytes);
        for (const union of unions) settled(() => readHeader(union, header));
      }),
    ).toBeLessThan(LONG_MS);
  });

  test("settle as packages", () => {
    expect(slowest(spoiled([packed]), (bytes) => readPackage(bytes, admitKey), SLOW)).toBeLessThan(LONG_MS);
  });

  test("settle as sealed bodies, outputs and live chunks", () => {
    const verdict = VerifiedJob.judge(job.envelope, contextOf(web, tenant));
    if (verdict.type !== "verified") throw new Error("a good job");
    const { wrap, body } = job.sealedFor(web);
    expect(slowest(spoiled([wrap]), (bytes) => verdict.job.open({ wrap: bytes, body }, web.sealing))).toBeLessThan(
      LONG_MS,
    );
    expect(slowest(spoiled([body]), (bytes) => verdict.job.open({ wrap, body: bytes }, web.sealing))).toBeLessThan(
      LONG_MS,
    );
    const { receipt } = readReceipt(answer.bytes, from);
    const readers = [raw(ada.sealing)];
    expect(
      slowest(spoiled([result]), (bytes) => openOutput(bytes, { receipt, readers, pair: ada.sealing })),
    ).toBeLessThan(LONG_MS);
    expect(
      slowest(spoiled([wrap]), (bytes) => joinLive(bytes, { readers, statement: job.statement, pair: ada.sealing })),
    ).toBeLessThan(LONG_MS);
    expect(slowest(spoiled([body]), (bytes) => readLive(job.contentKey, 0, bytes))).toBeLessThan(LONG_MS);
  });

  test("settle as what people type", () => {
    const code = writeSetupCode(tenant.id, seeded("setup")(16));
    const typed = fc.oneof(fc.string({ unit: "binary", maxLength: 120 }), fc.mixedCase(fc.constant(code)));
    expect(
      slowest(typed, (given) => [readPin(given), readSetupCode(given), fromCrockford(given, 25), fromBase64url(given)]),
    ).toBeLessThan(LONG_MS);
    expect(slowest(typed, fromBase64Envelope)).toBeLessThan(LONG_MS);
    expect(readSetupCode(code.toLowerCase().replaceAll("-", " ").replace("kb1 ", "kb1-"))).toBeDefined();
  });
});

describe("the most that a stranger can ask for", () => {
  const header = '{"payload":"","payloadType":"application/vnd.keybound.job.v1+json","signatures":[';
  test.each([
    ["an envelope of empty signatures", utf8(`${header}${"{},".repeat(43_000)}{}]}`)],
    ["an envelope of lists in lists", utf8("[".repeat(131_072))],
    ["an envelope of one long name", utf8(`{"${"a".repeat(131_000)}":0}`)],
    ["an envelope of many names", utf8(`{${Array.from({ length: 16_000 }, (_, i) => `"${i}":0`).join(",")}}`)],
  ])("%s", (_name, bytes) => {
    expect(settled(() => readEnvelope(bytes))).toBeLessThan(LONG_MS);
    expect(settled(() => judgeEvent(tenant.state, bytes, admitKey))).toBeLessThan(LONG_MS);
    expect(settled(() => VerifiedJob.judge(bytes, contextOf(web, tenant)))).toBeLessThan(LONG_MS);
  });

  test("strict JSON of many items and a frame of many parts", () => {
    const lists = utf8(`{"a":[${"[],".repeat(300_000)}[]]}`);
    expect(settled(() => parseStrict(lists, 1_048_576))).toBeLessThan(LONG_MS);
    expect(settled(() => readFrame(new Uint8Array(2_097_152)))).toBeLessThan(LONG_MS);
    expect(settled(() => readPackage(utf8(`{"keyLog":[${'"",'.repeat(1_000_000)}""]}`), admitKey))).toBeLessThan(
      LONG_MS,
    );
  });
});

describe("what is written is read again", () => {
  test("base64url, in one spelling alone", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const spelling = toBase64url(bytes);
        expect(fromBase64url(spelling)).toEqual(bytes);
        for (const other of [`${spelling}=`, ` ${spelling}`, `${spelling}\n`]) {
          expect(fromBase64url(other)).toBeUndefined();
        }
      }),
      RUNS,
    );
  });

  test("strict JSON, to the byte, of any value that it can carry", () => {
    const key = fc.stringMatching(/^[a-z][A-Za-z0-9]{0,6}$/);
    const leaf = fc.oneof(fc.string({ unit: "grapheme" }), fc.maxSafeInteger(), fc.boolean());
    const plain = leaf.filter((one) => !Object.is(one, -0));
    const inner = fc.oneof(plain, fc.array(plain), fc.dictionary(key, plain, { maxKeys: 8 }));
    fc.assert(
      fc.property(fc.dictionary(key, inner, { maxKeys: 8 }), (given) => {
        const bytes = encodeStrict(given);
        expect(encodeStrict(parseStrict(bytes, 65_536))).toEqual(bytes);
      }),
      RUNS,
    );
  });
});
