// The story that a relay is killed in: a tenant is made, a person asks for a key and gets it, logs grow, jobs are proposed and go
// out, answers with results come back. Every step can be told again, as real clients do when an answer was lost; what was confirmed
// is written down.
import assert from "node:assert/strict";
import { reportOf } from "../cast/binding-report.ts";
import { DAY } from "../cast/clock.ts";
import { requestOf } from "../cast/key-request.ts";
import { checkpointOf } from "../cast/login.ts";
import type { Device } from "../cast/device.ts";
import { enrolmentOf } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { type Answer, inventoryOf, ReceiptChain } from "../cast/receipts.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";
import { operatorAt, WireClient } from "../cast/wire-client.ts";
import { codeFor, newcomerAt, submission, upload } from "./moves.ts";

const RESULT_PART = 8 * 1024;
const GRACE = person("Grace");
/** Place of the entry that admits her. */
const GRACE_SEQ = 1;

export class Act {
  readonly tenant = new Tenant();
  readonly roster: RosterLog;
  readonly target: Device;
  readonly jobs: readonly Job[];
  readonly answers: readonly Answer[];
  /** What the relay has confirmed, in order. */
  readonly confirmed = new Set<string>();

  constructor(target: Device) {
    this.target = target;
    this.tenant.add(GRACE);
    this.tenant.add(person("Hedy"));
    this.roster = new RosterLog(this.tenant);
    this.roster.admit(target);
    this.roster.append({ type: "device.name", device: target.id, name: "web-2" }, [this.tenant.founder.signer]);
    this.jobs = ["first", "second"].map((word) => jobFor({ tenant: this.tenant, devices: [target], word }));
    const chain = new ReceiptChain(target, this.tenant);
    const kept = [{ stream: "stdout", size: 20_000, head: new Uint8Array(20_000), tail: new Uint8Array(0) }] as const;
    this.answers = this.jobs.map((job) => chain.answer({ job, kept }));
  }

  /** Tells the story from its beginning; what was told before must do no harm. Throws when the relay goes away. */
  async goOn(url: string, claim: string): Promise<void> {
    const client = await WireClient.dial(url);
    await this.#make(client, claim);
    await client.logIn(this.tenant, this.tenant.founder.signer, { role: "operator" });
    await this.#ask(url);
    for (const entry of this.tenant.log.slice(1)) await this.#append(client, "key", entry);
    const target = await this.#enrol(url);
    for (const entry of this.roster.log) await this.#append(client, "roster", entry);
    await client.done({ type: "send-checkpoint" }, [checkpointOf(this.tenant, this.tenant.founder)]);
    this.confirmed.add("checkpoint");
    await target.done({ type: "inventory" }, [inventoryOf(this.target, this.tenant)]);
    this.confirmed.add("inventory");
    await target.done({ type: "report" }, [reportOf(this.target, this.tenant)]);
    this.confirmed.add("report");
    for (const [i, job] of this.jobs.entries()) await this.#runJob({ client, target, job, i });
    await client.close();
    await target.close();
  }

  async #make(client: WireClient, claim: string): Promise<void> {
    if (this.confirmed.has("tenant")) return;
    const answer = await client.request({ type: "create-tenant", claim }, this.tenant.log.slice(0, 1));
    if (answer.header["type"] !== "ok") assert.equal(answer.header["code"], "tenant-exists");
    this.confirmed.add("tenant");
  }

  /** Grace asks for her key, unless the log that was told before has it. */
  async #ask(url: string): Promise<void> {
    const newcomer = await newcomerAt(url, this.tenant, GRACE);
    const code = await codeFor(newcomer, { type: "file-request" }, [requestOf(this.tenant, GRACE).bytes]);
    assert.ok(code === "ok" || code === "log-key-reused", code);
    this.confirmed.add("request");
    await newcomer.close();
  }

  async #propose(client: WireClient, { job, statement, envelope }: Job): Promise<void> {
    if (this.confirmed.has(`proposal ${job}`)) return;
    const expiresAt = this.tenant.clock.now + DAY;
    await client.done({ type: "propose", proposal: statement, expiresAt }, [envelope]);
    this.confirmed.add(`proposal ${job}`);
  }

  async #append(client: WireClient, log: "key" | "roster", entry: Uint8Array): Promise<void> {
    await client.done({ type: "append", log }, [entry]);
    this.confirmed.add(`${log} ${base64(entry)}`);
  }

  async #enrol(url: string): Promise<WireClient> {
    const target = await WireClient.dial(url);
    const welcome = await target.logIn(this.tenant, this.target.signer);
    if (welcome.header["enrolled"] === true) return target;
    assert.equal(this.confirmed.has("enrolled"), false, "a confirmed enrolment is gone");
    await target.done({ type: "enrol" }, [enrolmentOf(this.target, this.tenant).request]);
    this.confirmed.add("enrolled");
    return target;
  }

  async #runJob({ client, target, job, i }: { client: WireClient; target: WireClient; job: Job; i: number }) {
    const { header, parts } = submission(job);
    await this.#propose(client, job);
    await client.done(header, parts);
    this.confirmed.add(`job ${job.job}`);
    target.send({ type: "taken", job: job.job });
    const answer = this.answers[i];
    if (answer?.result === undefined) throw new Error("an answer without a result");
    await upload(target, job.job, answer.result, RESULT_PART);
    await target.done({ type: "receipt", job: job.job, seq: i + 1 }, [answer.bytes]);
    this.confirmed.add(`receipt ${job.job}`);
  }
}

/** Everything that was confirmed is there, before anything is told again. */
export async function checkConfirmed(url: string, act: Act, at: string): Promise<void> {
  if (!act.confirmed.has("tenant")) return;
  const client = await operatorAt(url, act.tenant);
  for (const log of ["key", "roster"] as const) {
    const entries = await readLog(client, log);
    const whole = (log === "key" ? act.tenant.log : act.roster.log).map(base64);
    assert.deepEqual(entries, whole.slice(0, entries.length), `${at}: ${log} log`);
    const kept = whole.filter((entry) => act.confirmed.has(`${log} ${entry}`));
    assert.ok(entries.length >= kept.length, `${at}: ${entries.length} entries of ${kept.length} in the ${log} log`);
  }
  await checkWaiting(client, act, at);
  for (const [i, job] of act.jobs.entries()) await checkJob(client, { act, job, i, at });
  await client.close();
}

/** A request is there until its key stands in the log, a proposal until its job is stored; never both, never neither. */
async function checkWaiting(client: WireClient, act: Act, at: string): Promise<void> {
  const { length } = await readLog(client, "key");
  const requests = (await client.request({ type: "list-requests" })).parts.length;
  if (act.confirmed.has("request")) assert.equal(requests, length > GRACE_SEQ ? 0 : 1, `${at}: requests`);
  if (length > GRACE_SEQ) assert.equal(requests, 0, `${at}: a request whose key stands in the log`);
  const proposed = (await client.request({ type: "list-proposals" })).parts.map(base64);
  for (const { job, envelope } of act.jobs) {
    const isStored = (await codeFor(client, { type: "read-job", job })) === "job-record";
    const isProposed = proposed.includes(base64(envelope));
    if (isStored || act.confirmed.has(`proposal ${job}`)) assert.equal(isProposed, !isStored, `${at}: proposal ${job}`);
  }
}

async function checkJob(client: WireClient, { act, job, i, at }: { act: Act; job: Job; i: number; at: string }) {
  if (!act.confirmed.has(`job ${job.job}`)) return;
  const { header, parts } = await client.request({ type: "read-job", job: job.job });
  assert.equal(header["type"], "job-record", `${at}: job ${i}`);
  if (!act.confirmed.has(`receipt ${job.job}`)) return;
  const { bytes, result } = act.answers[i] ?? {};
  assert.deepEqual(header["deliveries"], [{ device: act.target.id, state: "answered" }], at);
  assert.equal(base64(parts.at(-1)), base64(bytes), at);
  assert.equal(base64(await readResult(client, job.job, act.target.id)), base64(result), at);
}

/** After the story's end everything is there, and there once. */
export async function checkWhole(url: string, act: Act, at: string): Promise<void> {
  await checkConfirmed(url, act, at);
  const client = await operatorAt(url, act.tenant);
  assert.equal((await client.next("checkpoint")).parts.length, 1, at);
  assert.deepEqual(await readLog(client, "key"), act.tenant.log.map(base64), at);
  assert.deepEqual(await readLog(client, "roster"), act.roster.log.map(base64), at);
  const receipts = await client.request({ type: "list-receipts", device: act.target.id, from: 0 });
  assert.deepEqual(
    receipts.parts.map(base64),
    act.answers.map(({ bytes }) => base64(bytes)),
    at,
  );
  const { header, parts } = await client.request({ type: "list-jobs" });
  assert.equal(JSON.stringify(header["jobs"]).match(/"answered":1/g)?.length, 2, at);
  assert.deepEqual(parts.map(base64), act.jobs.map(({ envelope }) => base64(envelope)).toReversed(), at);
  const inventory = await client.request({ type: "read-inventory", device: act.target.id });
  assert.equal(inventory.parts.length, 1, at);
  const devices = await client.request({ type: "list-devices" });
  assert.equal(base64(devices.parts[1]), base64(reportOf(act.target, act.tenant)), at);
  await client.close();
}

async function readLog(client: WireClient, log: "key" | "roster"): Promise<readonly string[]> {
  return (await client.request({ type: "read-log", log, from: 0 })).parts.map(base64);
}

async function readResult(client: WireClient, job: string, of: string): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  for (let offset = 0, size = 1; offset < size; ) {
    const answer = await client.request({ type: "read-result", job, device: of, offset });
    const [part] = answer.parts;
    if (part === undefined || part.length === 0)
      throw new Error(`no bytes of the result: ${JSON.stringify(answer.header)}`);
    read.push(part);
    offset += part.length;
    size = Number(answer.header["size"]);
  }
  return Buffer.concat(read);
}

function base64(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "nothing" : Buffer.from(bytes).toString("base64");
}
