// An organisation that began anew, and its packages of before and after on one device: real agents, as an administrator has them.
import { describe, expect, it } from "vitest";
import { readTombstones } from "../../agent/binding/owner.ts";
import { DAY } from "../cast/clock.ts";
import { type Person, person, renewed } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { until } from "../e2e/program.ts";
import { AgentProcess, outcomeOf, systemClock } from "./agent-process.ts";
import { ownerOf } from "./bound.ts";
import { SmallRelay } from "./small-relay.ts";

const policy = { freshness: { mode: "off", maxAgeMs: DAY } } as const;

/** Acme in this epoch, in the place of these. */
function acme(epoch: number, before: readonly Tenant[], founder: Person = person(`Ada ${epoch}`, "admin")): Tenant {
  return new Tenant({ epoch, supersedes: before.map(({ id }) => id), founder, clock: systemClock(), policy });
}

/** A device of the first Acme that nobody runs, and what came after it. */
function resets() {
  const first = acme(1, []);
  const second = acme(2, [first]);
  const third = acme(3, [second, first]);
  const agent = new AgentProcess();
  agent.bound(first);
  return { agent, first, second, third };
}

describe("after a reset", () => {
  it("the new package takes the device over without a question, where the command carries its pin", async () => {
    const { agent, second } = resets();
    const { code, stdout, stderr } = await agent.bind(second, agent.trusting(second));
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^owner changed: bound to Acme \(epoch 2\)/);
    expect(ownerOf(agent.state).tenant).toBe(second.id);
  });

  it("the new package does nothing without the pin, and says how it would", async () => {
    const { agent, first, second } = resets();
    const before = agent.rows(["refused_package"]);
    const { code, stderr } = await agent.bind(second);
    expect([code, agent.rows(["refused_package"])]).toEqual([1, before]);
    expect(stderr).toMatch(/^keybound-agent: trust-needed: .*\n.*\n {2}hint: .*--trust/);
    expect(ownerOf(agent.state).tenant).toBe(first.id);
  });

  it("the old package is refused for good, names the command that shows it, and changes nothing", async () => {
    const { agent, first, second } = resets();
    agent.bound(second);
    const before = agent.rows(["refused_package"]);
    for (const over of [[], agent.trusting(first), [...agent.trusting(first), "--rebind"]]) {
      const { code, stdout, stderr } = await agent.bind(first, over);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/^keybound-agent: tenant-retired: .*\n.*\n {2}hint: .*\n.*keybound-agent status\n$/);
    }
    expect(agent.rows(["refused_package"])).toEqual(before);
    const { stdout } = await agent.command("status");
    expect(stdout).toMatch(/^Owner +Acme \(epoch 2\)/m);
    expect(stdout).toMatch(/^Not taken +\S+: the package of Acme \(epoch 1\), pin \S+: tenant-retired$/m);
    const { stdout: json } = await agent.command("status", "--json");
    expect(JSON.parse(json).refusedPackage).toMatchObject({ tenant: first.id, epoch: 1, code: "tenant-retired" });
  });

  it("a device that was off through two of them, and through two changes of keys, is put right by the newest package", async () => {
    const { agent, first, second, third } = resets();
    const next = renewed(third.founder);
    const bob = person("Bob", "admin");
    third.add(bob);
    third.append({ type: "operator.change", key: third.keyOf(next), jobs: "keep" }, [
      third.founder.signer,
      next.signer,
      next.recovery,
    ]);
    const { code } = await agent.bind(third, agent.trusting(third), { signers: [next.signer] });
    expect(code).toBe(0);
    expect(ownerOf(agent.state).keyState).toEqual(third.state);
    expect([...readTombstones(agent.state)].toSorted()).toEqual([first.id, second.id].toSorted());
    const { stderr } = await agent.bind(second, [...agent.trusting(second), "--rebind"]);
    expect(stderr).toMatch(/^keybound-agent: tenant-retired: /);
  });

  it("a package of an older epoch that the device never had is refused as older", async () => {
    const { agent, first, second } = resets();
    const third = acme(3, [first]);
    agent.bound(third);
    const { code, stderr } = await agent.bind(second, [...agent.trusting(second), "--rebind"]);
    expect([code, ownerOf(agent.state).tenant]).toEqual([1, third.id]);
    expect(stderr).toMatch(/^keybound-agent: epoch-older: /);
  });
});

describe("an organisation that has closed", () => {
  it("gets no job done any more; the device stays, says so, and comes over to its successor", async () => {
    const { agent, first, second } = resets();
    const dora = person("Dora", "admin");
    first.add(dora);
    const relay = await SmallRelay.open([first, second]);
    agent.bound(first, { deployment: { relays: [relay.url], issuedAt: Date.now() + 1 } });
    const { device } = agent;
    const running = agent.run();
    await until(() => relay.reports.length === 1, "a report");
    expect(await outcomeOf(relay, device, { tenant: first })).toEqual({ type: "exited", code: 0 });
    const admins = [first.founder.signer, dora.signer];
    const { event } = first.append({ type: "tenant.close", reason: "over" }, admins);
    relay.push(device.id, { type: "log-grew", log: "key", from: event.seq }, first.log.slice(-1));
    await until(() => relay.reports.at(-1)?.keyHead.seq === event.seq, "a report of the closing");
    expect(await outcomeOf(relay, device, { tenant: first })).toMatchObject({ code: "tenant-closed" });
    expect([running.isGone, relay.devices]).toEqual([false, [device.id]]);
    expect((await agent.bind(first, agent.trusting(first))).stderr).toMatch(/^keybound-agent: tenant-closed: /);
    await until(() => relay.reports.at(-1)?.refused?.code === "tenant-closed", "a report of the refused package");
    const took = await agent.bind(second, agent.trusting(second), { deployment: { relays: [relay.url] } });
    expect(took.code).toBe(0);
    await until(() => relay.reports.some(({ tenant }) => tenant === second.id), "a report to the successor");
    const { device: now } = agent;
    const moved = { tenant: second.id, device: now.id };
    expect(relay.reports.findLast(({ tenant }) => tenant === first.id)).toMatchObject({ device: device.id, moved });
    expect(await outcomeOf(relay, now, { tenant: second })).toEqual({ type: "exited", code: 0 });
  });
});
