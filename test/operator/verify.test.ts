// `keybound verify`, without processes: every kind of statement is said in words, and one changed byte is refused.
import { describe, expect, test } from "vitest";
import { Fault } from "../../operator/fault.ts";
import { verifyBytes } from "../../operator/verify/verify-file.ts";
import type { Known } from "../../operator/verify/verify-known.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { device, enrolmentOf } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { checkpointOf, grantOf, loginOf } from "../cast/login.ts";
import { deploymentOf, packageOf } from "../cast/package.ts";
import { person } from "../cast/person.ts";
import { digestOf } from "../cast/random.ts";
import { inventoryOf, ReceiptChain } from "../cast/receipts.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { type EnvelopeJson, edited } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";

const tenant = new Tenant();
const web = device("web1");
const roster = new RosterLog(tenant);
roster.admit(web);
tenant.add(person("Olga"));
const job = jobFor({ tenant, devices: [web] });
const receipt = new ReceiptChain(web, tenant).answer({ job });
const known: Known = { keyLog: tenant.view, roster: roster.roster, receiptId: () => undefined };
const now = tenant.clock.now;

const statements: readonly (readonly [kind: string, bytes: Uint8Array, says: string])[] = [
  ["job", job.envelope, "signed by Ada on 2026-01-05 09:00:00Z"],
  ["receipt", receipt.bytes, "receipt 1 of web1, signed by its key"],
  ["key-event", tenant.log[0] ?? new Uint8Array(0), "it is this home's organisation"],
  ["key-event", tenant.log[1] ?? new Uint8Array(0), "entry 1 of the key log that this home has pinned"],
  ["roster-event", roster.log[0] ?? new Uint8Array(0), "roster entry 0, device.admit, signed by Ada"],
  ["checkpoint", checkpointOf(tenant, tenant.founder), "Ada vouched on 2026-01-05 09:00:00Z for key log entry 1"],
  ["enrolment-request", enrolmentOf(web, tenant).request, "it was admitted as web1"],
  ["inventory", inventoryOf(web, tenant), "inventory of web1 as of 2026-01-05"],
  ["access-grant", grantOf(tenant, tenant.founder), "Ada lets a client read and send until 2026-07-04"],
  ["deployment", deploymentOf(tenant), "a deployment, signed by Ada"],
  ["relay-login", loginOf(tenant, web.signer), "a login as a device at relay.example:7000"],
  ["deployment package", packageOf(tenant), "a deployment package of Acme, epoch 1, pin "],
];

function verified(bytes: Uint8Array, over: Known | undefined = known) {
  return verifyBytes(bytes, { known: over, now });
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return "verified";
  } catch (error) {
    if (error instanceof Refusal || error instanceof Fault) return error.code;
    throw error;
  }
}

describe.each(statements)("%s", (kind, bytes, says) => {
  test("is said in words", () => {
    const { kind: found, says: words } = verified(bytes);
    expect([found, words.some((line) => line.includes(says))]).toEqual([kind, true]);
  });

  test("is refused when it is cut", () => {
    expect(codeOf(() => verified(bytes.subarray(0, -3)))).not.toBe("verified");
  });
});

describe.each(statements.filter(([kind]) => kind !== "deployment package"))("%s", (_kind, bytes) => {
  test("is refused when a signature is another", () => {
    const other = edited(bytes, (envelope) => ({ ...envelope, signatures: envelope.signatures.map(spoilt) }));
    expect(["signature-bad", "log-proof-missing"]).toContain(codeOf(() => verified(other)));
  });
});

function spoilt(signature: EnvelopeJson["signatures"][number]) {
  const first = signature.sig.startsWith("A") ? "B" : "A";
  return { ...signature, sig: first + signature.sig.slice(1) };
}

describe("without a home", () => {
  test("a package verifies, and it is said that its pin was not compared", () => {
    expect(verifyBytes(packageOf(tenant), { known: undefined, now }).unchecked).toEqual([
      "whether the pin is the one that you expect: compare it",
    ]);
  });

  test("a receipt cannot be checked", () => {
    expect(codeOf(() => verifyBytes(receipt.bytes, { known: undefined, now }))).toBe("verify-unknown");
  });
});

describe("what this home knows", () => {
  test("refuses a receipt where another was seen at its place", () => {
    expect(codeOf(() => verified(receipt.bytes, { ...known, receiptId: () => digestOf("other") }))).toBe(
      "receipt-chain",
    );
  });

  test("refuses a receipt of a device that the roster does not have", () => {
    const stranger = new ReceiptChain(device("stranger"), tenant).answer({ job });
    expect(codeOf(() => verified(stranger.bytes))).toBe("roster-device-unknown");
  });

  test("refuses a job of another organisation", () => {
    const other = new Tenant({ founder: person("Eve", "admin") });
    expect(codeOf(() => verified(jobFor({ tenant: other, devices: [web] }).envelope))).toBe("signer-unknown");
  });

  test("says of a receipt in a chain that was verified nothing about the chain", () => {
    const { unchecked } = verified(receipt.bytes, { ...known, receiptId: () => receipt.id });
    expect(unchecked).toEqual([]);
  });
});

test("a file that is no statement is called so", () => {
  expect(codeOf(() => verified(new TextEncoder().encode("hello")))).toBe("file-other");
});
