// A device that was away while everybody's keys changed, in every way in which they can: on its next connection it follows the
// log by itself, and obeys the keys that hold then and no others. Nobody deploys anything.
import { expect, it } from "vitest";
import { toBase64url } from "../../protocol/bytes.ts";
import { type RequestFields, signKeyRequest } from "../../protocol/key-request.ts";
import { DAY, HOUR } from "../cast/clock.ts";
import { type Person, person, raw, renewed } from "../cast/person.ts";
import { seeded } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";
import { until } from "../e2e/program.ts";
import { AgentProcess, outcomeOf, systemClock } from "./agent-process.ts";
import { ownerOf } from "./bound.ts";
import { SmallRelay } from "./small-relay.ts";

/** The request for these keys, which the person signed and went away. */
function requestOf(tenant: Tenant, who: Person, purpose: RequestFields["purpose"]): string {
  const { operator, name, sig, enc, recovery, mode } = tenant.keyOf(who);
  const asked = { tenant: tenant.id, purpose, operator, name, sig, enc, mode, time: tenant.clock.now };
  const fields = { ...asked, ...(recovery === undefined ? {} : { recovery }) };
  const nonce = seeded(`request of ${who.name}`)(32);
  return toBase64url(signKeyRequest(fields, { nonce, signers: [who.signer, who.recovery] }));
}

/** Acme with its people, a device that knows all of them, and its relay. */
async function bound() {
  const [ada, dora, bob, frank, gina] = [
    person("Ada", "admin"),
    person("Dora", "admin"),
    person("Bob"),
    person("Frank"),
    person("Gina"),
  ];
  const policy = { freshness: { mode: "off", maxAgeMs: DAY } } as const;
  const acme = new Tenant({ founder: ada, clock: systemClock(), policy });
  for (const one of [dora, bob, frank, gina]) acme.add(one);
  const relay = await SmallRelay.open([acme]);
  const agent = new AgentProcess();
  agent.bound(acme, { deployment: { relays: [relay.url] } });
  return { acme, relay, agent, ada, dora, bob, frank, gina };
}

it("a device that missed every kind of key event catches up on connect, and judges jobs by what it has learnt", async () => {
  const { acme, relay, agent, ada, dora, bob, frank, gina } = await bound();
  const before = acme.head;
  const [carol, bobNow, doraNow, adaNow] = [person("Carol"), renewed(bob), renewed(dora), renewed(ada)];
  const request = (who: Person, purpose: RequestFields["purpose"]) => requestOf(acme, who, purpose);
  acme.append({ type: "operator.add", key: acme.keyOf(carol), request: request(carol, "add") }, [ada.signer]);
  acme.append({ type: "operator.replace", key: acme.keyOf(bobNow), request: request(bobNow, "replace") }, [ada.signer]);
  acme.append({ type: "operator.change", key: acme.keyOf(doraNow), jobs: "cancel" }, [
    dora.signer,
    doraNow.signer,
    doraNow.recovery,
  ]);
  acme.append({ type: "operator.recover", key: acme.keyOf(adaNow) }, [ada.recovery, adaNow.signer, adaNow.recovery]);
  const spare = person("Carol's spare").signer;
  acme.append({ type: "operator.recovery", operator: carol.operator, recovery: raw(spare) }, [carol.signer, spare]);
  acme.revoke(frank, [adaNow]);
  acme.append({ type: "operator.role", operator: gina.operator, role: "auditor" }, [adaNow.signer]);
  acme.setPolicy({ maxJobLifetimeMs: HOUR }, [adaNow]);

  agent.run();
  const { device } = agent;
  await until(() => relay.reports.length > 0 && relay.reports.at(-1)?.keyHead.seq === acme.head.seq, "a report");
  expect(ownerOf(agent.state).keyState).toEqual(acme.state);

  const soon = { expiresAt: Date.now() + HOUR / 2 };
  const by = (who: Person, manifest: object = soon) =>
    outcomeOf(relay, device, { tenant: acme, signers: [who.signer], readers: [adaNow], manifest: { ...manifest } });
  for (const who of [carol, bobNow, doraNow, adaNow]) expect(await by(who)).toMatchObject({ type: "exited" });
  for (const who of [bob, dora, ada, frank]) {
    expect(await by(who)).toMatchObject({ code: "signer-revoked" });
    // Signed before anybody heard of the change, and held back by the relay until now.
    expect(await by(who, { ...soon, keyHead: before })).toMatchObject({ code: "signer-revoked" });
  }
  expect(await by(gina)).toMatchObject({ code: "signer-role" });
  expect(await by(carol, { expiresAt: Date.now() + DAY })).toMatchObject({ code: "job-lifetime" });
});

it("a device that is told of each of them as it comes stands where the log stands", async () => {
  const { acme, relay, agent, ada, bob } = await bound();
  agent.run();
  const { device } = agent;
  await until(() => relay.reports.length > 0, "a report");
  const told = async () => {
    relay.push(device.id, { type: "log-grew", log: "key", from: acme.head.seq }, acme.log.slice(-1));
    await until(() => relay.reports.at(-1)?.keyHead.seq === acme.head.seq, "a report of it");
  };
  const [carol, bobNow] = [person("Carol"), renewed(bob)];
  const sign = (who: Person) =>
    outcomeOf(relay, device, { tenant: acme, signers: [who.signer], readers: [ada], manifest: { keyHead: acme.head } });
  expect(await sign(bob)).toMatchObject({ type: "exited" });
  acme.append({ type: "operator.add", key: acme.keyOf(carol), request: requestOf(acme, carol, "add") }, [ada.signer]);
  await told();
  expect(await sign(carol)).toMatchObject({ type: "exited" });
  const asked = requestOf(acme, bobNow, "replace");
  acme.append({ type: "operator.replace", key: acme.keyOf(bobNow), request: asked }, [ada.signer]);
  await told();
  expect(await sign(bobNow)).toMatchObject({ type: "exited" });
  expect(await sign(bob)).toMatchObject({ code: "signer-revoked" });
  acme.revoke(carol);
  await told();
  expect(await sign(carol)).toMatchObject({ code: "signer-revoked" });
});
