// A reset as it happens: one relay, the new organisation in the old one's place, a device that was off. What its new owner can prove of
// where the old device went.
import { randomBytes } from "node:crypto";
import { expect, it, onTestFinished } from "vitest";
import { readFarewell } from "../../agent/binding/farewell.ts";
import { readBindingReport } from "../../protocol/binding-report.ts";
import { startRelay } from "../../relay/start.ts";
import { DAY } from "../cast/clock.ts";
import { person, raw } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { operatorAt, WireClient } from "../cast/wire-client.ts";
import { until } from "../e2e/program.ts";
import { systemClock } from "./agent-process.ts";
import { bindTo, deviceOf, folder, ownerOf } from "./bound.ts";
import { startDaemon, stateFolder } from "./daemon-on.ts";

const policy = { freshness: { mode: "off", maxAgeMs: DAY } } as const;

async function relayHere() {
  const relay = await startRelay({
    folder: folder(),
    listen: { host: "127.0.0.1", port: 0 },
    now: () => Date.now(),
    ticks: () => performance.now(),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  onTestFinished(() => relay.close());
  const found = async (tenant: Tenant, retires?: string) => {
    const client = await WireClient.dial(relay.url);
    const header = { type: "create-tenant", claim: relay.newClaimCode(retires) };
    await client.done(retires === undefined ? header : { ...header, retires }, tenant.log);
    await client.close();
  };
  return { relay, found };
}

it("a device that was off at the reset says in its old name where it went, to whoever took the old owner's place", async () => {
  const { relay, found } = await relayHere();
  const acme = new Tenant({ clock: systemClock(), policy });
  await found(acme);
  const { path, state } = stateFolder();
  const deployment = { relays: [relay.url] };
  bindTo(state, acme, { deployment });
  const before = deviceOf(state);
  const first = startDaemon(path, state);
  await using operator = await disposable(operatorAt(relay.url, acme));
  await until(
    async () => JSON.stringify(await operator.client.request({ type: "list-devices" })).includes(before.id),
    "it",
  );
  await first.stop();

  const founder = person("Eve", "admin");
  const next = new Tenant({ clock: systemClock(), policy, epoch: 2, supersedes: [acme.id], founder });
  await found(next, acme.id);
  bindTo(state, next, { confirmed: true, deployment });
  startDaemon(path, state);
  await until(() => readFarewell(state) === undefined, "the farewell");

  await using successor = await disposable(operatorAt(relay.url, next));
  const { parts } = await successor.client.request({ type: "list-devices", of: acme.id });
  const report = readBindingReport(parts.at(-1) ?? new Uint8Array(0), { sig: raw(before.signer), tenant: acme.id });
  expect(report).toMatchObject({ device: before.id, moved: { tenant: next.id, device: ownerOf(state).device } });
});

async function disposable(opening: Promise<WireClient>) {
  const client = await opening;
  return { client, [Symbol.asyncDispose]: async () => void (await client.close()) };
}
