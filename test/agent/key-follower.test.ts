// A device whose relay served it another branch of the key log, signed by an admin who was revoked elsewhere: what it makes
// of the revocation once it hears of it, on its real state.
import { describe, expect, test } from "vitest";
import { takeKeyEntries } from "../../agent/binding/key-follower.ts";
import { readJournal, verifyJournal } from "../../agent/state/journal.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { DAY } from "../cast/clock.ts";
import { jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { flipped } from "../cast/statement.ts";
import { type EventFields, Tenant } from "../cast/tenant.ts";
import { codeOf } from "../protocol/refused.ts";
import { bindTo, deviceOf, jobsOn, openState, ownerOf, receiptsOf } from "./bound.ts";

const ada = person("Ada", "admin");
const mallory = person("Mallory", "admin");
const puppet = person("Puppet");

/** Follows Mallory's branch from the entry in which she was added; `tenant` goes on without it. */
function capturedDevice() {
  const tenant = new Tenant({ founder: ada, policy: { freshness: { mode: "off", maxAgeMs: DAY } } });
  tenant.add(mallory);
  const state = openState();
  bindTo(state, tenant);
  const running = jobsOn(state, tenant);
  const { owned } = running;
  const device = deviceOf(state);
  const take = (...entries: readonly Uint8Array[]) =>
    codeOf(() => takeKeyEntries(owned, { entries, admit: admitKey, now: tenant.clock.now }));
  const give = (who: typeof ada) => {
    const job = jobFor({
      tenant,
      devices: [device],
      signers: [who.signer],
      manifest: { keyHead: owned.keyState.head },
    });
    return running.jobs.receive({ envelope: job.envelope, ...job.sealedFor(device) }, { watched: false, asked: true });
  };
  const forged: EventFields = { type: "operator.add", key: tenant.keyOf(puppet) };
  const branch = tenant.sign(forged, [mallory.signer, puppet.signer, puppet.recovery]);
  expect(take(branch)).toBe("accepted");
  const journal = () => readJournal(state, 100).map(({ entry }): Record<string, unknown> => JSON.parse(entry));
  const forks = () => journal().filter(({ type }) => type === "fork");
  return { tenant, state, branch, take, give, forks, journal, ...running };
}

describe("a revocation beside our line", () => {
  test("is journalled as a fork, and ends the revoked key's jobs while the line stays", () => {
    const { tenant, state, owned, take, give, forks } = capturedDevice();
    const { head } = owned.keyState;
    expect(give(mallory)).not.toHaveProperty("refused");
    const { id } = tenant.revoke(mallory);
    expect(take(...tenant.log.slice(-1))).toBe("accepted");
    expect(forks()).toMatchObject([{ seq: head.seq, id }]);
    expect(give(mallory)).toMatchObject({ type: "taken", refused: "signer-revoked" });
    expect(ownerOf(state).keyState).toMatchObject({ head, forks: [{ id, revokes: mallory.signer.key }] });
  });

  test("counts although entries before it are missing, and the gap is said", () => {
    const { tenant, take, give, forks } = capturedDevice();
    for (const prompt of ["day", "task", "week"] as const) tenant.setPolicy({ prompt });
    const { id } = tenant.revoke(mallory);
    expect(take(...tenant.log.slice(-1))).toBe("log-gap");
    expect(forks()).toMatchObject([{ seq: tenant.head.seq, id }]);
    expect(give(mallory)).toMatchObject({ refused: "signer-revoked" });
  });

  test("is named in every receipt after it", async () => {
    const { tenant, state, take, give, nextReceipt } = capturedDevice();
    const { id } = tenant.revoke(mallory);
    take(...tenant.log.slice(-1));
    const written = nextReceipt();
    give(ada);
    await written;
    expect(receiptsOf(state).map(({ receipt }) => receipt.forks)).toEqual([[id]]);
  });
});

describe("entries that come again", () => {
  test("change nothing where they are on our line", () => {
    const { tenant, state, branch, owned, take, journal } = capturedDevice();
    const before = { keyState: owned.keyState, stored: ownerOf(state).keyState, journal: journal() };
    expect(take(...tenant.log.slice(1), branch)).toBe("accepted");
    expect(owned.keyState).toBe(before.keyState);
    expect({ stored: ownerOf(state).keyState, journal: journal() }).toEqual({
      stored: before.stored,
      journal: before.journal,
    });
  });

  test("change nothing where they are known for evidence", () => {
    const { tenant, state, owned, take, forks } = capturedDevice();
    tenant.revoke(mallory);
    take(...tenant.log.slice(-1));
    const { keyState } = owned;
    take(...tenant.log.slice(1));
    expect(owned.keyState).toBe(keyState);
    expect(forks()).toHaveLength(1);
    expect(verifyJournal(state).to).toMatchObject({ seq: readJournal(state, 1)[0]?.seq });
  });
});

/** A device that knows the first of five entries. */
function behind() {
  const tenant = new Tenant({ founder: ada });
  const state = openState();
  bindTo(state, tenant);
  const { owned } = jobsOn(state, tenant);
  for (const prompt of ["day", "task", "week", "day"] as const) tenant.setPolicy({ prompt });
  const take = (...entries: readonly Uint8Array[]) =>
    codeOf(() => takeKeyEntries(owned, { entries, admit: admitKey, now: tenant.clock.now }));
  const events = () => readJournal(state, 100).map(({ entry }): unknown => JSON.parse(entry).type);
  return { tenant, state, owned, take, events };
}

describe("entries that come together", () => {
  test("are kept up to the one that is refused, each with its line in the journal", () => {
    const { tenant, state, take, events } = behind();
    const [, first, second, third, fourth] = tenant.log;
    if (first === undefined || second === undefined || third === undefined || fourth === undefined) throw new Error("");
    expect(take(first, second, flipped(third, -40), fourth)).toBe("signature-bad");
    expect(ownerOf(state).keyState).toEqual(tenant.stateAt(2));
    expect(events()).toEqual(["bound", "followed", "followed"]);
  });

  test("are taken around one that stands beside our line", () => {
    const { tenant, state, owned, take, events } = behind();
    const [, first, ...later] = tenant.log;
    if (first === undefined) throw new Error("an empty log");
    const beside = tenant.sign(
      { type: "policy.set", policy: { ...tenant.state.policy, prompt: "task" } },
      [ada.signer],
      {
        seq: 0,
        id: tenant.id,
      },
    );
    expect(take(first, beside, ...later)).toBe("accepted");
    expect(owned.keyState.head).toEqual(tenant.head);
    expect(ownerOf(state).keyState.forks).toHaveLength(1);
    expect(events()).toEqual(["bound", "followed", "fork", "followed", "followed", "followed"]);
  });
});
