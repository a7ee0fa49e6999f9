// The cast's parts are valid as they come: each is taken by the protocol's own reader.
import { describe, expect, test } from "vitest";
import { readCheckpoint } from "../../protocol/checkpoint.ts";
import { readPackage } from "../../protocol/deployment.ts";
import { checkProof, readEnrolment } from "../../protocol/enrolment.ts";
import { readInventory } from "../../protocol/inventory.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { judgeLog } from "../../protocol/key-log.ts";
import { openOutput } from "../../protocol/output.ts";
import { checkReceiptChain, readReceipt } from "../../protocol/receipt.ts";
import { readAccessGrant, readLogin } from "../../protocol/relay-login.ts";
import { VerifiedJob } from "../../protocol/verify-job.ts";
import { contextOf, device, enrolmentOf } from "./device.ts";
import { asRun, jobFor } from "./job.ts";
import { CHALLENGE, checkpointOf, grantOf, loginOf, RELAY } from "./login.ts";
import { packageOf } from "./package.ts";
import { person, raw } from "./person.ts";
import { inventoryOf, ReceiptChain } from "./receipts.ts";
import { RosterLog } from "./roster-log.ts";
import { Tenant } from "./tenant.ts";

const tenant = new Tenant();
const grace = person("Grace");
tenant.add(grace);
const web = device("web-1");
const from = { sig: raw(web.signer), tenant: tenant.id };

describe("the cast", () => {
  test("has a key log that judges", () => {
    expect(judgeLog(tenant.log, admitKey)).toEqual(tenant.state);
  });

  test("has a roster that takes a device by a token", () => {
    const roster = new RosterLog(tenant);
    const { token, secret } = roster.addToken("rollout");
    const enrolment = enrolmentOf(web, tenant, { token, tokenSecret: secret });
    checkProof(enrolment, secret);
    roster.admit(web, grace, { token, request: enrolment.id });
    expect(roster.roster.devices.get(web.id)).toMatchObject({ name: "web-1", token });
  });

  test("has a package that binds", () => {
    expect(readPackage(packageOf(tenant), admitKey)).toMatchObject({ state: tenant.state });
  });

  test("has a job that its device takes and opens", () => {
    const job = jobFor({ tenant, devices: [web], signers: [grace.signer] });
    const verdict = VerifiedJob.judge(job.envelope, contextOf(web, tenant));
    if (verdict.type !== "verified") throw new Error(`the job is ${JSON.stringify(verdict)}`);
    expect(asRun(verdict.job.open(job.sealedFor(web), web.sealing)).body.source).toBe("echo hello\n");
  });

  test("has receipts that follow each other and output that opens", () => {
    const job = jobFor({ tenant, devices: [web] });
    const chain = new ReceiptChain(web, tenant);
    const kept = [{ stream: "stdout", size: 6, head: new Uint8Array(6), tail: new Uint8Array(0) }] as const;
    for (const setup of [{ job }, { job, kept }]) {
      const before = chain.before;
      const { bytes, result } = chain.answer(setup);
      const { receipt } = readReceipt(bytes, from);
      checkReceiptChain(before, receipt);
      if (result === undefined) continue;
      const readers = [raw(tenant.founder.sealing)];
      expect(openOutput(result, { receipt, readers, pair: tenant.founder.sealing })).toEqual(kept);
    }
  });

  test("has enrolments, inventories, logins, grants and checkpoints", () => {
    expect(readEnrolment(enrolmentOf(web, tenant).request, admitKey).request.device).toBe(web.id);
    expect(readInventory(inventoryOf(web, tenant), from).host).toBe("web-1");
    const expected = { challenge: CHALLENGE, relays: [RELAY], channel: undefined };
    expect(readLogin(loginOf(tenant, web.signer), expected).key).toBe(web.id);
    expect(readAccessGrant(grantOf(tenant, grace), { state: tenant.state, now: tenant.clock.now }).operator).toBe(
      grace.operator,
    );
    expect(readCheckpoint(checkpointOf(tenant, grace), tenant.view)).toMatchObject({ operator: grace.operator });
  });
});
