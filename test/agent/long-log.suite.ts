// The key log at its longest on a device's real state: it opens quickly, it is followed to its end, and when there is room for
// nothing else somebody's power can still be taken away.
import { join } from "node:path";
import { beforeAll, afterAll, describe, expect, test } from "vitest";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { bind } from "../../agent/binding/bind.ts";
import { takeKeyEntries } from "../../agent/binding/key-follower.ts";
import { readMachine } from "../../agent/machine.ts";
import { OwnerState } from "../../agent/binding/owner-state.ts";
import { State } from "../../agent/state/state.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { MAX_KEY_EVENTS, RESERVED_KEY_EVENTS } from "../../protocol/limits.ts";
import { DAY } from "../cast/clock.ts";
import { digestOf, seeded } from "../cast/random.ts";
import { jobFor } from "../cast/job.ts";
import { ADMITTED, LongTenant } from "../cast/long-log.ts";
import { packageOf } from "../cast/package.ts";
import { type Person, person, raw, renewed } from "../cast/person.ts";
import type { EventFields } from "../cast/tenant.ts";
import { Program } from "../e2e/program.ts";
import { codeOf } from "../protocol/refused.ts";
import { deviceOf, jobsOn, ownerOf } from "./bound.ts";
import { AGENT } from "./machine.ts";

/** The last place for anything but revocations and closing. */
const LAST_PLACE = MAX_KEY_EVENTS - RESERVED_KEY_EVENTS - 1;
const MISSED = 300;
const TARGET_MS = 1_000;

let folder: string;
let tenant: LongTenant;
let people: readonly Person[];
let state: State;

/** Bound when the log was nearly full; what came since is not yet known to the device. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "keybound-long-log-"));
  tenant = new LongTenant({ policy: { freshness: { mode: "off", maxAgeMs: DAY } } });
  const others = [person("Dora", "admin"), person("Bob"), person("Cy")];
  for (const other of others) tenant.add(other);
  people = tenant.changeKeys([tenant.founder, ...others], LAST_PLACE - MISSED);
  state = State.open(join(folder, "state"));
  const file = packageOf(tenant, { signers: [ada().signer], deployment: { relays: ["ws://127.0.0.1:9"] } });
  bind(readPackage(file, ADMITTED), {
    state,
    machine: readMachine(0),
    agent: AGENT,
    consent: { trust: undefined, rebind: false, confirmed: true },
    now: tenant.clock.now,
    random: seeded("long log"),
  });
  people = tenant.changeKeys(people, LAST_PLACE);
});

afterAll(() => {
  state.close();
  rmSync(folder, { recursive: true, force: true });
});

function named(name: string): Person {
  const found = people.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

const ada = () => named("Ada");
const take = (owned: OwnerState, ...entries: readonly Uint8Array[]) =>
  codeOf(() => takeKeyEntries(owned, { entries, admit: admitKey, now: tenant.clock.now }));
const owned = () => new OwnerState(state, ownerOf(state));

function revocationOf(who: Person): EventFields {
  return { type: "operator.revoke", operator: who.operator, key: who.signer.key, reason: "left", jobs: "cancel" };
}

test("a device that missed hundreds of entries follows them in one go", () => {
  const device = owned();
  const start = performance.now();
  expect(take(device, ...tenant.log.slice(-MISSED))).toBe("accepted");
  console.log(`${MISSED} entries followed in ${Math.round(performance.now() - start)} ms`);
  expect(ownerOf(state).keyState).toEqual(tenant.state);
  expect(tenant.head.seq).toBe(LAST_PLACE);
});

test("opens in less than a second", () => {
  const start = performance.now();
  const { keyState } = ownerOf(state);
  const tookMs = performance.now() - start;
  expect(keyState.head).toEqual(tenant.head);
  expect(tookMs).toBeLessThan(TARGET_MS);
});

test("is served by an agent soon after its start", async () => {
  const start = performance.now();
  const agent = new Program("agent", ["run", "--state", join(folder, "state")], {});
  await agent.says(/serving the owner/);
  console.log(`serving after ${Math.round(performance.now() - start)} ms`);
  expect(await agent.end()).toBe(0);
});

describe("where only the kept places are left", () => {
  const eve = person("Eve");

  test.each([
    ["add", () => [{ type: "operator.add", key: tenant.keyOf(eve) }, [ada(), eve]] as const],
    ["replace", () => [{ type: "operator.replace", key: tenant.keyOf(renewed(named("Bob"))) }, [ada()]] as const],
    ["change", () => [{ type: "operator.change", key: tenant.keyOf(renewed(ada())), jobs: "keep" }, [ada()]] as const],
    ["recover", () => [{ type: "operator.recover", key: tenant.keyOf(renewed(ada())) }, [ada()]] as const],
    ["recovery", () => [{ type: "operator.recovery", operator: ada().operator }, [ada()]] as const],
    ["role", () => [{ type: "operator.role", operator: named("Cy").operator, role: "auditor" }, [ada()]] as const],
    ["policy", () => [{ type: "policy.set", policy: { ...tenant.state.policy, prompt: "day" } }, [ada()]] as const],
    ["root", () => [{ type: "root.set", root: { keys: [raw(eve.signer)], threshold: 1 } }, [ada()]] as const],
  ])("%s is refused", (_name, entry) => {
    const [event, signers] = entry();
    const bytes = tenant.sign(
      event,
      signers.map(({ signer }) => signer),
    );
    expect(take(owned(), bytes)).toBe("log-full");
  });

  test("a key is revoked, and signs no more jobs", async () => {
    const bob = named("Bob");
    tenant.append(revocationOf(bob), [ada().signer]);
    expect(take(owned(), ...tenant.log.slice(-1))).toBe("accepted");
    const device = deviceOf(state);
    const { jobs } = jobsOn(state, tenant);
    const give = (who: Person) => {
      const job = jobFor({ tenant, devices: [device], signers: [who.signer], readers: [who], word: who.name });
      return jobs.receive({ envelope: job.envelope, ...job.sealedFor(device) }, { watched: false, asked: false });
    };
    expect(give(bob)).toMatchObject({ refused: "signer-revoked" });
    expect(give(ada())).toEqual({ type: "taken" });
    await jobs.stop("agent-stop");
  });

  test("and so it is at the very last place, where even closing has none after it", () => {
    const last = { seq: MAX_KEY_EVENTS - 2, id: digestOf("the entry before the last") };
    const device = owned();
    device.keyState = { ...device.keyState, head: last };
    const cy = named("Cy");
    const revocation = tenant.sign(revocationOf(cy), [ada().signer], last);
    expect(take(device, revocation)).toBe("accepted");
    expect(ownerOf(state).keyState.operators.map(({ name }) => name)).toEqual(["Ada", "Dora"]);
    const admins = [ada().signer, named("Dora").signer];
    const closing = tenant.sign({ type: "tenant.close", reason: "over" }, admins, device.keyState.head);
    expect(take(device, closing)).toBe("log-full");
  });
});
