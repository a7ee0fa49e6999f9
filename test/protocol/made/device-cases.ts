// Vectors of packages and binding, of enrolment, receipts, output and logins.
import { pinOf } from "../../../protocol/pin.ts";
import { utf8 } from "../../../protocol/bytes.ts";
import { DAY, MINUTE } from "../../cast/clock.ts";
import { device, enrolmentOf } from "../../cast/device.ts";
import { jobFor } from "../../cast/job.ts";
import { CHALLENGE, grantOf, loginOf, RELAY } from "../../cast/login.ts";
import { packageOf } from "../../cast/package.ts";
import { person, raw } from "../../cast/person.ts";
import { digestOf, seeded } from "../../cast/random.ts";
import { ReceiptChain } from "../../cast/receipts.ts";
import { flipped, type Overrides } from "../../cast/statement.ts";
import { Tenant } from "../../cast/tenant.ts";
import { b64, casesOf, type RefusalCase } from "./case.ts";

const [web, mail] = [device("web-1"), device("mail-1")];

export function packageCases(): readonly RefusalCase[] {
  const tenant = new Tenant();
  tenant.add(person("Grace"));
  const bytes = packageOf(tenant);
  const good = { package: b64(bytes) };
  const short = { package: b64(packageOf(tenant, { deployment: { anchor: tenant.stateAt(0).head } })) };
  return casesOf("package", [
    ["package-form", "the end of the file is cut off", { package: b64(bytes.subarray(0, -9)) }, good],
    ["package-anchor", "signed at an earlier entry than the log inside ends with", short, good],
  ]);
}
const offer = (tenant: Tenant, more: object = {}) => ({
  package: b64(packageOf(tenant)),
  now: tenant.clock.now,
  ...more,
});
const ownedBy = (tenant: Tenant) => ({ bound: { keyLog: tenant.log.map(b64), deployedAt: tenant.clock.now } });
const trust = (tenant: Tenant) => ({ trust: pinOf(tenant.id) });

export function bindingCases(): readonly RefusalCase[] {
  const first = new Tenant();
  const second = new Tenant({ epoch: 2, supersedes: [first.id] });
  const sibling = new Tenant({ name: "Acme again", epoch: 2, supersedes: [first.id] });
  const other = new Tenant({ name: "Other" });
  const at = (ms: number) => offer(first, { now: first.clock.now + 90 * DAY + ms });
  return casesOf("binding", [
    [
      "package-trust",
      "the pin on the command is another tenant's",
      offer(first, trust(other)),
      offer(first, trust(first)),
    ],
    ["package-expired", "at the millisecond of the package's end", at(0), at(-1)],
    [
      "tenant-retired",
      "a tenant that this device left for good",
      offer(first, { tombstones: [first.id] }),
      offer(first),
    ],
    [
      "epoch-older",
      "a sibling of the owner, of the same epoch",
      offer(sibling, { ...ownedBy(second), ...trust(sibling), rebind: true }),
      offer(sibling, { ...ownedBy(first), ...trust(sibling), rebind: true }),
    ],
    [
      "owner-other",
      "another organisation, without --rebind",
      offer(other, { ...ownedBy(first), ...trust(other) }),
      offer(other, { ...ownedBy(first), ...trust(other), rebind: true }),
    ],
    [
      "trust-needed",
      "the next epoch, without a pin or a local yes",
      offer(second, ownedBy(first)),
      offer(second, { ...ownedBy(first), ...trust(second) }),
    ],
  ]);
}

export function enrolmentCases(): readonly RefusalCase[] {
  const tenant = new Tenant();
  const request = (over: object = {}) => ({ request: b64(enrolmentOf(web, tenant, { over: { ...over } }).request) });
  const [secret, wrong] = [seeded("token secret")(32), seeded("another secret")(32)];
  const proved = (by: Uint8Array) => {
    const enrolment = enrolmentOf(web, tenant, { tokenSecret: by });
    return { request: b64(enrolment.request), proof: b64(enrolment.proof ?? by), tokenSecret: b64(secret) };
  };
  return [
    ...casesOf("enrolment", [
      ["device-id", "the id of another device", request({ device: mail.id }), request()],
      ["field-invalid", "an encryption key of low order", request({ enc: "A".repeat(43) }), request()],
    ]),
    ...casesOf("token-proof", [["token-proof", "a proof by another token's secret", proved(wrong), proved(secret)]]),
  ];
}

export function receiptCases(): readonly RefusalCase[] {
  const tenant = new Tenant();
  const job = jobFor({ tenant, devices: [web] });
  const chain = new ReceiptChain(web, tenant);
  const before = chain.before;
  const head = utf8("hello\n");
  const kept = [{ stream: "stdout", size: head.length, head, tail: new Uint8Array(0) }] as const;
  const { bytes, result = new Uint8Array(0) } = chain.answer({ job, kept });
  const from = { receipt: b64(bytes), sig: raw(web.signer), tenant: tenant.id };
  const answered = (over: Overrides) => ({
    ...from,
    receipt: b64(new ReceiptChain(web, tenant).answer({ job, over }).bytes),
    before,
  });
  const founder = tenant.founder;
  const opened = (sealed: Uint8Array, by = founder) => ({
    ...from,
    result: b64(sealed),
    readers: [raw(founder.sealing)],
    sealingKey: b64(by.sealing.privateKey),
  });
  return [
    ...casesOf("receipt-chain", [
      [
        "receipt-chain",
        "the receipt names another one before it",
        { ...from, before: { ...before, id: digestOf("other") } },
        { ...from, before },
      ],
      [
        "field-invalid",
        "an occurrence that does not say how many are left",
        answered({ occurrence: 2 }),
        answered({ occurrence: 2, runsLeft: 1 }),
      ],
      [
        "field-invalid",
        "missed occurrences from one beyond the last of them",
        answered({ occurrence: 2, runsLeft: 1, outcome: { type: "missed", from: 3, why: "late" } }),
        answered({ occurrence: 2, runsLeft: 1, outcome: { type: "missed", from: 2, why: "late" } }),
      ],
    ]),
    ...casesOf("output", [
      ["output-digest", "one bit of the sealed output was turned", opened(flipped(result, -1)), opened(result)],
      ["output-sealed", "a key that the output was not sealed to", opened(result, person("Mallory")), opened(result)],
    ]),
  ];
}

export function loginCases(): readonly RefusalCase[] {
  const tenant = new Tenant();
  const given = (over: object = {}) => ({
    login: b64(loginOf(tenant, web.signer, { ...over })),
    challenge: CHALLENGE,
    relays: [RELAY],
  });
  const access = (ms: number) => ({
    grant: b64(grantOf(tenant, tenant.founder)),
    keyLog: tenant.log.map(b64),
    now: tenant.clock.now + 180 * DAY + ms,
  });
  const ahead = (ms: number) => ({ ...access(0), now: tenant.clock.now - 10 * MINUTE - ms });
  return [
    ...casesOf("login", [
      ["login-challenge", "an answer to another challenge", given({ challenge: digestOf("old") }), given()],
      ["login-relay", "a login made for another relay", given({ relay: "evil.example:7000" }), given()],
    ]),
    ...casesOf("access", [
      ["access-expired", "at the millisecond of the grant's end", access(0), access(-1)],
      ["access-expired", "begins ten minutes and a millisecond from now", ahead(1), ahead(0)],
    ]),
  ];
}
