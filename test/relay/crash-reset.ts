// The second story that a relay is killed in: an organisation with a device, a queued job, a request and a proposal is reset.
// Whenever the relay dies, it is the one before the reset or the one after it, in every part.
import assert from "node:assert/strict";
import { DAY } from "../cast/clock.ts";
import { type Device, device } from "../cast/device.ts";
import { type Job, jobFor } from "../cast/job.ts";
import { requestOf } from "../cast/key-request.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt, WireClient } from "../cast/wire-client.ts";
import { codeFor, newcomerAt, submission } from "./moves.ts";

/** Makes a claim code beside the relay, as its command does; for a reset where a tenant is named. */
export type MakeClaim = (retires?: string) => string;

export class ResetAct {
  readonly before = new Tenant({ name: "Before", founder: person("Bea", "admin") });
  readonly after = new Tenant({
    name: "After",
    founder: person("Bea after", "admin"),
    epoch: 2,
    supersedes: [this.before.id],
  });
  readonly target: Device = device("old-1");
  readonly job: Job = jobFor({ tenant: this.before, devices: [this.target], word: "old" });
  /** What the relay has confirmed. */
  readonly confirmed = new Set<"before" | "furnished" | "reset">();

  /** Tells the story from its beginning; what was told before must do no harm. Throws when the relay goes away. */
  async goOn(url: string, makeClaim: MakeClaim): Promise<void> {
    if (this.confirmed.has("reset")) return;
    if (!this.confirmed.has("before")) await this.#make(url, this.before, { claim: makeClaim() });
    this.confirmed.add("before");
    if (await this.#isReset(url)) return void this.confirmed.add("reset");
    await this.#furnish(url);
    this.confirmed.add("furnished");
    await this.#make(url, this.after, { claim: makeClaim(this.before.id), retires: this.before.id });
    this.confirmed.add("reset");
  }

  /** All of the reset has happened, or nothing of it; and it has, where it was confirmed. */
  async check(url: string, at: string): Promise<void> {
    if (!this.confirmed.has("furnished")) return;
    const isReset = await this.#isReset(url);
    if (this.confirmed.has("reset")) assert.ok(isReset, `${at}: a confirmed reset is gone`);
    const waiting = await this.#waiting(url);
    assert.equal(waiting, isReset ? 0 : 1, `${at}: jobs that wait for the old device`);
    if (isReset) return await this.#checkSuccessor(url, at);
    const client = await operatorAt(url, this.before);
    assert.equal((await client.request({ type: "list-requests" })).parts.length, 1, at);
    assert.equal((await client.request({ type: "list-proposals" })).parts.length, 1, at);
    await client.close();
  }

  async #make(url: string, tenant: Tenant, fields: { claim: string; retires?: string }): Promise<void> {
    const client = await WireClient.dial(url);
    const code = await codeFor(client, { type: "create-tenant", ...fields }, tenant.log);
    assert.ok(code === "ok" || code === "tenant-exists", code);
    await client.close();
  }

  async #furnish(url: string): Promise<void> {
    await (await deviceAt(url, this.before, this.target)).close();
    const client = await operatorAt(url, this.before);
    const { header, parts } = submission(this.job);
    await client.done(header, parts);
    const { statement, envelope } = jobFor({ tenant: this.before, devices: [this.target], word: "proposed" });
    await client.done({ type: "propose", proposal: statement, expiresAt: this.before.clock.now + DAY }, [envelope]);
    const grace = person("Grace");
    const newcomer = await newcomerAt(url, this.before, grace);
    await newcomer.done({ type: "file-request" }, [requestOf(this.before, grace).bytes]);
    for (const one of [client, newcomer]) await one.close();
  }

  async #isReset(url: string): Promise<boolean> {
    const client = await WireClient.dial(url);
    const { header } = await client.logIn(this.before, this.before.founder.signer, { role: "operator" });
    client.socket.close();
    if (header["type"] === "welcome") return false;
    assert.equal(header["code"], "tenant-reset");
    return true;
  }

  /** How many jobs the old device is sent; it takes none. */
  async #waiting(url: string): Promise<number> {
    const target = await deviceAt(url, this.before, this.target);
    await target.request({ type: "read-log", log: "key", from: 0 });
    const { length } = target.waiting("job");
    await target.close();
    return length;
  }

  async #checkSuccessor(url: string, at: string): Promise<void> {
    const client = await operatorAt(url, this.after);
    const { parts } = await client.request({ type: "list-devices", of: this.before.id });
    assert.equal(parts.length, 1, `${at}: the old device is not listed`);
    await client.close();
  }
}
