// Entries of the key log in words, for whoever signs them second; and how many must, held against the log's own judgement.
import { describe, expect, test } from "vitest";
import { adminRule } from "../../operator/keys/admin-rule.ts";
import { keyEventLines } from "../../operator/keys/key-event-words.ts";
import { isTaken, readProposedEvent } from "../../operator/cosign/proposed-event.ts";
import { toBase64url } from "../../protocol/bytes.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import { type LaterEvent, readLaterEvent } from "../../protocol/key-event.ts";
import { longCode } from "../../protocol/key-approval.ts";
import { requestOf } from "../cast/key-request.ts";
import { device } from "../cast/device.ts";
import { type Person, person } from "../cast/person.ts";
import { edited, idOfEnvelope } from "../cast/statement.ts";
import { type EventFields, signersOf, Tenant } from "../cast/tenant.ts";

const [ada, grace, hopper, olga] = [
  person("Ada", "admin"),
  person("Grace", "admin"),
  person("Hopper", "admin"),
  person("Olga"),
];

/** Three admins and an operator, where two admins sign what an admin does. */
function acme(): Tenant {
  const tenant = new Tenant({ founder: ada });
  for (const who of [grace, hopper, olga]) tenant.add(who);
  tenant.setPolicy({ adminThreshold: 2 });
  return tenant;
}

function eventOf(bytes: Uint8Array): LaterEvent {
  return readLaterEvent(readEnvelope(bytes).payload);
}

function lines(tenant: Tenant, event: EventFields): readonly string[] {
  const bytes = tenant.sign(event, [ada.signer]);
  return keyEventLines(eventOf(bytes), { state: tenant.state, now: tenant.clock.now });
}

function revoke(who: Person): EventFields {
  return { type: "operator.revoke", operator: who.operator, key: who.signer.key, reason: "left", jobs: "cancel" };
}

describe("in words", () => {
  const tenant = acme();

  test("an approval of a key names the person, the role, and the code of the request that it carries", () => {
    const newcomer = person("Nina");
    const { bytes, id } = requestOf(tenant, newcomer);
    const key = { ...tenant.keyOf(newcomer), role: "admin" };
    const said = lines(tenant, { type: "operator.add", key, request: toBase64url(bytes) });
    expect(said).toEqual([
      "makes Nina an admin",
      expect.stringMatching(/^the key is good until /),
      `ask Nina for the code of their request: it must be ${longCode(id)}`,
    ]);
  });

  test("an approval by a request for another key is refused", () => {
    const [nina, eve] = [person("Nina"), person("Eve")];
    const request = toBase64url(requestOf(tenant, nina).bytes);
    expect(() => lines(tenant, { type: "operator.add", key: tenant.keyOf(eve), request })).toThrow("log-request-other");
  });

  test("a key that signed for itself has no code", () => {
    expect(lines(tenant, { type: "operator.add", key: tenant.keyOf(person("Nina")) })).toContain(
      "the new key signed this itself: there is no code to compare",
    );
  });

  test("a replacement, a role, a revocation and the end say of whom", () => {
    const key = tenant.keyOf(person("Olga", "operator", 1));
    expect(lines(tenant, { type: "operator.replace", key })[0]).toBe(
      "gives Olga another key, as an operator; the one before ends",
    );
    const { operator, signer } = olga;
    expect(lines(tenant, { type: "operator.role", operator, role: "admin" })).toEqual(["makes Olga an admin"]);
    const revocation = { operator, key: signer.key, reason: "left \u001b[2J", jobs: "cancel" };
    expect(() => lines(tenant, { type: "operator.revoke", ...revocation })).toThrow("field-invalid");
    expect(lines(tenant, { type: "operator.revoke", ...revocation, reason: "left" })).toEqual([
      "revokes the key of Olga: left",
      "jobs of theirs that wait on devices are dropped",
    ]);
    expect(lines(tenant, { type: "tenant.close", reason: "sold" })[0]).toMatch(/^CLOSES the organisation for good/);
  });
});

describe("how many must sign", () => {
  const tenant = acme();
  test.each<readonly [string, EventFields]>([
    ["an operator's new role", { type: "operator.role", operator: olga.operator, role: "auditor" }],
    ["an admin's new role", { type: "operator.role", operator: grace.operator, role: "operator" }],
    ["an operator's revocation", revoke(olga)],
    ["an admin's revocation", revoke(grace)],
    ["a policy", { type: "policy.set", policy: { ...tenant.state.policy, prompt: "day" } }],
    ["the end", { type: "tenant.close", reason: "sold" }],
  ])("under %s is what the log asks for", (_words, event) => {
    const rule = adminRule(tenant.state, eventOf(tenant.sign(event, [ada.signer])));
    const eligible = [ada, grace, hopper].filter(({ operator }) =>
      rule?.eligible.some((one) => one.operator === operator),
    );
    const enough = signersOf(eligible.slice(0, rule?.needed));
    const taken = [enough, enough.slice(1)].map((by) => by.length > 0 && isTaken(tenant.state, tenant.sign(event, by)));
    expect(taken).toEqual([true, false]);
  });

  test("counts those who may and did, and keeps no signature of a key that says nothing about it", () => {
    const bytes = tenant.sign(
      { type: "operator.role", operator: grace.operator, role: "operator" },
      signersOf([ada, grace]),
    );
    const strange = { keyid: device("evil").id, sig: Buffer.alloc(64).toString("base64") };
    const envelope = readEnvelope(edited(bytes, (json) => ({ ...json, signatures: [strange, ...json.signatures] })));
    const read = readProposedEvent(tenant.state, { id: idOfEnvelope(bytes), kind: "key-event", envelope });
    expect(read.signers.map(({ name }) => name)).toEqual(["Ada"]);
    expect(read.envelope.signatures.map(({ key }) => key)).toEqual([ada.signer.key, grace.signer.key]);
    expect([read.needed, read.eligible.map(({ name }) => name)]).toEqual([2, ["Ada", "Hopper"]]);
  });

  test("is not asked where the log has grown", () => {
    const stale = tenant.sign({ type: "tenant.close", reason: "sold" }, [ada.signer], tenant.stateAt(1).head);
    const proposal = { id: idOfEnvelope(stale), kind: "key-event", envelope: readEnvelope(stale) } as const;
    expect(() => readProposedEvent(tenant.state, proposal)).toThrow("proposal-stale");
  });

  test("of an entry that its subject signs alone is nobody's matter", () => {
    const event: EventFields = { type: "operator.recovery", operator: ada.operator };
    expect(adminRule(tenant.state, eventOf(tenant.sign(event, [ada.signer])))).toBeUndefined();
  });
});
