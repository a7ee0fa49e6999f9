// The story that a relay is killed in: a tenant is made, its logs grow, jobs go out, answers with results come back. Every
// step can be told again, as real clients do when an answer was lost; what was confirmed is written down.
import { expect } from "vitest";
import { checkpointOf } from "../cast/login.ts";
import type { Device } from "../cast/device.ts";
import { enrolmentOf } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { type Answer, inventoryOf, ReceiptChain } from "../cast/receipts.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";
import { operatorAt, WireClient } from "../cast/wire-client.ts";
import { submission, upload } from "./moves.ts";

const RESULT_PART = 8 * 1024;

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
    this.tenant.add(person("Grace"));
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
    for (const entry of this.tenant.log.slice(1)) await this.#append(client, "key", entry);
    const target = await this.#enrol(url);
    for (const entry of this.roster.log) await this.#append(client, "roster", entry);
    await client.done({ type: "send-checkpoint" }, [checkpointOf(this.tenant, this.tenant.founder)]);
    this.confirmed.add("checkpoint");
    await target.done({ type: "inventory" }, [inventoryOf(this.target, this.tenant)]);
    this.confirmed.add("inventory");
    for (const [i, job] of this.jobs.entries()) await this.#runJob({ client, target, job, i });
    await client.close();
    await target.close();
  }

  async #make(client: WireClient, claim: string): Promise<void> {
    if (this.confirmed.has("tenant")) return;
    const answer = await client.request({ type: "create-tenant", claim }, this.tenant.log.slice(0, 1));
    expect(["ok", "tenant-exists"]).toContain(answer.header["code"] ?? answer.header["type"]);
    this.confirmed.add("tenant");
  }

  async #append(client: WireClient, log: "key" | "roster", entry: Uint8Array): Promise<void> {
    await client.done({ type: "append", log }, [entry]);
    this.confirmed.add(`${log} ${base64(entry)}`);
  }

  async #enrol(url: string): Promise<WireClient> {
    const target = await WireClient.dial(url);
    const welcome = await target.logIn(this.tenant, this.target.signer);
    if (welcome.header["enrolled"] === true) return target;
    expect(this.confirmed.has("enrolled")).toBe(false);
    await target.done({ type: "enrol" }, [enrolmentOf(this.target, this.tenant).request]);
    this.confirmed.add("enrolled");
    return target;
  }

  async #runJob({ client, target, job, i }: { client: WireClient; target: WireClient; job: Job; i: number }) {
    const { header, parts } = submission(job);
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
    expect(entries, `${at}: ${log} log`).toEqual(whole.slice(0, entries.length));
    const kept = whole.filter((entry) => act.confirmed.has(`${log} ${entry}`));
    expect(entries.length, `${at}: confirmed entries of the ${log} log`).toBeGreaterThanOrEqual(kept.length);
  }
  for (const [i, job] of act.jobs.entries()) await checkJob(client, { act, job, i, at });
  await client.close();
}

async function checkJob(client: WireClient, { act, job, i, at }: { act: Act; job: Job; i: number; at: string }) {
  if (!act.confirmed.has(`job ${job.job}`)) return;
  const record = await client.request({ type: "read-job", job: job.job });
  expect(record.header["type"], `${at}: job ${i}`).toBe("job-record");
  if (!act.confirmed.has(`receipt ${job.job}`)) return;
  const answer = act.answers[i];
  expect(record.header["deliveries"], at).toMatchObject([{ state: "answered" }]);
  expect(base64(record.parts.at(-1) ?? new Uint8Array(0)), at).toBe(base64(answer?.bytes ?? new Uint8Array(1)));
  expect(base64(await readResult(client, job.job, act.target.id)), at).toBe(
    base64(answer?.result ?? new Uint8Array(1)),
  );
}

/** After the story's end everything is there, and there once. */
export async function checkWhole(url: string, act: Act, at: string): Promise<void> {
  await checkConfirmed(url, act, at);
  const client = await operatorAt(url, act.tenant);
  expect((await client.next("checkpoint")).parts, at).toHaveLength(1);
  expect(await readLog(client, "key"), at).toEqual(act.tenant.log.map(base64));
  expect(await readLog(client, "roster"), at).toEqual(act.roster.log.map(base64));
  const receipts = await client.request({ type: "list-receipts", device: act.target.id, from: 0 });
  expect(receipts.parts.map(base64), at).toEqual(act.answers.map(({ bytes }) => base64(bytes)));
  const { header } = await client.request({ type: "list-jobs" });
  const once = act.jobs.map(({ job }) => ({ job, targets: 1, answered: 1 })).toReversed();
  expect(header["jobs"], at).toMatchObject(once);
  const { parts } = await client.request({ type: "read-inventory", device: act.target.id });
  expect(parts, at).toHaveLength(1);
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

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
