// Two lines of one log, and what a device makes of the other one.
import { describe, expect, test } from "vitest";
import { readCheckpoint } from "../../protocol/checkpoint.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { judgeEvent, noteFork } from "../../protocol/key-log.ts";
import { isRevokedByFork, type KeyLogState } from "../../protocol/key-state.ts";
import { DEFAULT_POLICY } from "../../protocol/policy.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { contextOf, device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { checkpointOf } from "../cast/login.ts";
import { person } from "../cast/person.ts";
import { type EventFields, Tenant, type TenantSetup } from "../cast/tenant.ts";
import { codeOf, wordOf } from "./refused.ts";

const ada = person("Ada", "admin");
const mallory = person("Mallory", "admin");
const grace = person("Grace");
const root = person("root").signer;
const web = device("web-1");

const revocationOf = (who: typeof ada): EventFields => ({
  type: "operator.revoke",
  operator: who.operator,
  key: who.signer.key,
  reason: "stolen",
  jobs: "cancel",
});

/** A device's state on the line that Mallory back-dated, at a place that Ada's line took otherwise. */
function capturedDevice(setup: TenantSetup = {}) {
  const tenant = new Tenant({ founder: ada, ...setup });
  tenant.add(mallory);
  tenant.add(grace);
  const shared = tenant.head;
  const puppet = person("Puppet");
  const forged: EventFields = { type: "operator.add", key: tenant.keyOf(puppet) };
  const signers = [mallory.signer, puppet.signer, puppet.recovery];
  const { state, id } = judgeEvent(tenant.state, tenant.sign(forged, signers, shared), admitKey);
  const note = (bytes: Uint8Array, from: KeyLogState = state) =>
    noteFork(from, bytes, (seq) => (seq === state.head.seq ? id : tenant.viewAt(shared.seq).idAt(seq)));
  return { tenant, state, note, keyLog: (after: KeyLogState) => ({ state: after, idAt: tenant.view.idAt }) };
}

describe("another line of the log", () => {
  test("is kept as evidence and never followed", () => {
    const { tenant, state, note } = capturedDevice();
    const { id } = tenant.setPolicy({ prompt: "day" });
    const other = tenant.entries.at(-1)?.bytes ?? new Uint8Array(0);
    expect(codeOf(() => judgeEvent(state, other, admitKey))).toBe("log-fork");
    expect(note(other)).toEqual({ ...state, forks: [{ id, seq: state.head.seq }] });
  });

  test("ends a key for jobs by a revocation that its signers could make here", () => {
    const { tenant, state, note } = capturedDevice();
    tenant.revoke(mallory);
    const after = note(tenant.log.at(-1) ?? new Uint8Array(0));
    expect(after.forks).toMatchObject([{ revokes: mallory.signer.key }]);
    const job = jobFor({ tenant, devices: [web], signers: [mallory.signer], manifest: { keyHead: state.head } });
    const keyLog = { state, idAt: () => state.head.id };
    expect(wordOf(VerifiedJob.judge(job.envelope, contextOf(web, tenant, { keyLog })))).toBe("verified");
    const told = { state: after, idAt: () => state.head.id };
    expect(wordOf(VerifiedJob.judge(job.envelope, contextOf(web, tenant, { keyLog: told })))).toBe("signer-revoked");
  });

  test("ends a key for checkpoints as well", () => {
    const { tenant, note, keyLog } = capturedDevice();
    tenant.revoke(mallory);
    const after = note(tenant.log.at(-1) ?? new Uint8Array(0));
    expect(codeOf(() => readCheckpoint(checkpointOf(tenant, mallory), keyLog(after)))).toBe("signer-revoked");
  });

  test("revokes although the revocation stands later than the captured head", () => {
    const { tenant, note } = capturedDevice();
    tenant.setPolicy({ prompt: "day" });
    tenant.setPolicy({ prompt: "task" });
    tenant.revoke(mallory);
    expect(isRevokedByFork(note(tenant.log.at(-1) ?? new Uint8Array(0)), mallory.signer.key)).toBe(true);
  });

  test("revokes by the root keys' word", () => {
    const { tenant, note } = capturedDevice({ roots: [root] });
    tenant.append(revocationOf(mallory), [root]);
    expect(isRevokedByFork(note(tenant.log.at(-1) ?? new Uint8Array(0)), mallory.signer.key)).toBe(true);
  });

  test("revokes nobody by the word of somebody who is revoked here", () => {
    const tenant = new Tenant({ founder: ada });
    tenant.add(mallory);
    const before = tenant.head;
    tenant.revoke(mallory);
    const backdated = tenant.sign(revocationOf(ada), [mallory.signer], before);
    const after = noteFork(tenant.state, backdated, tenant.view.idAt);
    expect(after.forks).toEqual([{ id: expect.any(String), seq: tenant.head.seq }]);
  });

  test("cannot be used to fill the evidence and keep a revocation out", () => {
    const { tenant, state, note } = capturedDevice();
    const junk = Array.from({ length: 12 }, (_, i) =>
      tenant.sign({ type: "operator.role", operator: grace.operator, role: "auditor", time: i }, [mallory.signer]),
    );
    const full = junk.reduce((kept, bytes) => note(bytes, kept), state);
    expect(full.forks).toHaveLength(8);
    tenant.revoke(mallory);
    expect(isRevokedByFork(note(tenant.log.at(-1) ?? new Uint8Array(0), full), mallory.signer.key)).toBe(true);
  });

  test("is not what comes next on our own line, nor what stands on it, nor a stranger's entry", () => {
    const tenant = new Tenant({ founder: ada });
    const next = tenant.sign({ type: "policy.set", policy: DEFAULT_POLICY }, [ada.signer]);
    expect(noteFork(tenant.state, next, tenant.view.idAt)).toBe(tenant.state);
    tenant.take(next);
    expect(noteFork(tenant.state, next, tenant.view.idAt)).toBe(tenant.state);
    const stranger = tenant.sign({ type: "policy.set", policy: DEFAULT_POLICY, seq: 1 }, [mallory.signer]);
    expect(noteFork(tenant.state, stranger, tenant.view.idAt)).toBe(tenant.state);
  });

  test("is forgotten where it turns out to be our own", () => {
    const tenant = new Tenant({ founder: ada });
    tenant.add(mallory);
    const dark = tenant.state;
    tenant.setPolicy({ prompt: "day" });
    tenant.revoke(mallory);
    const [, , policy, revocation] = tenant.log;
    if (policy === undefined || revocation === undefined) throw new Error("a log of four entries");
    const warned = noteFork(dark, revocation, tenant.viewAt(1).idAt);
    expect(isRevokedByFork(warned, mallory.signer.key)).toBe(true);
    const caught = [policy, revocation].reduce((state, bytes) => judgeEvent(state, bytes, admitKey).state, warned);
    expect(caught).toEqual(tenant.state);
  });
});
