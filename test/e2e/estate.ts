// Everything that a user has, as processes in one folder: a relay that can be killed and comes back at the same place, agents,
// and organisations whose people sign by the wire, without a passphrase to be stretched.
import { mkdtempSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readEnrolment } from "../../protocol/enrolment.ts";
import { fromBase64url } from "../../protocol/bytes.ts";
import { type KeptStream, openOutput } from "../../protocol/output.ts";
import { pinOf } from "../../protocol/pin.ts";
import { type Receipt, readReceipt } from "../../protocol/receipt.ts";
import { signerOf } from "../../protocol/signature.ts";
import type { Device } from "../cast/device.ts";
import { type Job, type JobSetup, jobFor } from "../cast/job.ts";
import { type PackageSetup, packageOf } from "../cast/package.ts";
import { type Person, person, raw } from "../cast/person.ts";
import { seeded } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";
import { operatorAt, WireClient } from "../cast/wire-client.ts";
import { submission } from "../relay/moves.ts";
import { Program, until } from "./program.ts";

export class Estate implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "keybound-e2e-"));
  readonly #programs = new Set<Program>();
  readonly #relayOptions: readonly string[];
  #relay: Program | undefined;
  #url = "";

  private constructor(relayOptions: readonly string[]) {
    this.#relayOptions = relayOptions;
  }

  /** Starts the relay with these options more. */
  static async open(relayOptions: readonly string[] = []): Promise<Estate> {
    const estate = new Estate(relayOptions);
    await estate.startRelay();
    return estate;
  }

  get url(): string {
    return this.#url;
  }

  get relay(): Program {
    if (this.#relay === undefined) throw new Error("the relay does not run");
    return this.#relay;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  lines(name: string): readonly string[] {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), "utf8").trimEnd().split("\n") : [];
  }

  /** Starts a program that this estate ends. */
  start(name: "agent" | "operator" | "relay", args: readonly string[]): Program {
    const program = new Program(name, args, { KEYBOUND_HOME: this.path("home") });
    this.#programs.add(program);
    return program;
  }

  /** Starts the relay, at its place if it had one. */
  async startRelay(): Promise<void> {
    const place = this.#url === "" ? "127.0.0.1:0" : new URL(this.#url).host;
    const options = ["--state", this.path("relay"), "--listen", place, ...this.#relayOptions];
    this.#relay = this.start("relay", ["serve", ...options]);
    const [, url] = await this.#relay.says(/listening on (\S+)/);
    this.#url = url ?? "";
  }

  /** A new claim code of the relay. */
  async claim(): Promise<string> {
    const { stdout } = await this.start("relay", ["claim", "--state", this.path("relay")]).done();
    return /claim code: (\S+)/.exec(stdout)?.[1] ?? "";
  }

  /** An organisation with this founder, made at the relay now. */
  async found(name: string, founder: Person = person(`founder of ${name}`, "admin")): Promise<Tenant> {
    const tenant = new Tenant({ name, founder, clock: { now: Date.now(), turn: () => Date.now() } });
    const client = await WireClient.dial(this.url);
    await client.done({ type: "create-tenant", claim: await this.claim() }, tenant.log);
    await client.close();
    return tenant;
  }

  /** Writes a deployment package of the organisation for this relay. */
  package(tenant: Tenant, setup: PackageSetup = {}): string {
    tenant.clock.now = Date.now();
    const file = this.path(`package-${tenant.state.name}-${tenant.head.seq}`);
    writeFileSync(file, packageOf(tenant, { ...setup, deployment: { relays: [this.url], ...setup.deployment } }));
    return file;
  }

  /** Binds the state folder of this name to the organisation. */
  async bind(name: string, tenant: Tenant, over: readonly string[] = []): Promise<void> {
    const trust = ["--trust", pinOf(tenant.id), ...over];
    await this.start("agent", ["bind", this.package(tenant), ...trust, "--state", this.path(name)]).done();
  }

  /** Runs the agent of this state folder; it has connected. */
  async agent(name: string): Promise<Program> {
    const agent = this.run(name);
    await agent.says(/"connected"/);
    return agent;
  }

  /** The same without waiting for anything. */
  run(name: string): Program {
    return this.start("agent", ["run", "--state", this.path(name)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#programs].toReversed().map((program) => program.end()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let jobs = 0;

/** One person of an organisation at work: sends jobs over the wire, and reads what comes back as a client has to. */
export class Desk implements AsyncDisposable {
  readonly tenant: Tenant;
  readonly who: Person;
  readonly client: WireClient;

  private constructor(tenant: Tenant, who: Person, client: WireClient) {
    this.tenant = tenant;
    this.who = who;
    this.client = client;
  }

  static async open(estate: Estate, tenant: Tenant, who: Person = tenant.founder): Promise<Desk> {
    tenant.clock.now = Date.now();
    return new Desk(tenant, who, await operatorAt(estate.url, tenant, who));
  }

  /** The one device that has enrolled and is none of `others`, with the keys that it signed for. */
  async device(others: readonly Device[] = []): Promise<Device> {
    let found: Device | undefined;
    const known = new Set(others.map(({ id }) => id));
    await until(async () => {
      const { header, parts } = await this.client.request({ type: "list-devices" });
      // Binding reports follow the enrolment requests.
      const count = Array.isArray(header["devices"]) ? header["devices"].length : 0;
      found = parts
        .slice(0, count)
        .map(deviceOf)
        .find(({ id }) => !known.has(id));
      return found !== undefined;
    }, "a device to enrol");
    if (found === undefined) throw new Error("no device");
    return found;
  }

  /** Signs a script for a device, now; each has an id of its own. */
  job(device: Device, source: string, over: Partial<JobSetup> = {}): Job {
    this.tenant.clock.now = Date.now();
    const setup = { tenant: this.tenant, devices: [device], readers: [this.who], signers: [this.who.signer] };
    return jobFor({ ...setup, word: `e2e ${process.pid} ${jobs++}`, body: { source }, ...over });
  }

  /** Signs and submits, watched. */
  async send(device: Device, source: string, over: Partial<JobSetup> = {}): Promise<Job> {
    const job = this.job(device, source, over);
    await this.submit(job);
    return job;
  }

  async submit(job: Job): Promise<void> {
    const { header, parts } = submission(job);
    await this.client.done(header, parts);
  }

  /** The receipt for this job, come or coming, verified. */
  async receipt(device: Device, { job, statement }: Job): Promise<Receipt> {
    for (;;) {
      const { header, parts } = await this.client.next("receipt-news");
      if (header["job"] !== job) continue;
      const { receipt } = readReceipt(parts[0] ?? new Uint8Array(0), {
        sig: raw(device.signer),
        tenant: this.tenant.id,
      });
      if (receipt.statement !== statement) throw new Error("a receipt for another statement");
      return receipt;
    }
  }

  /** What the device said when it took this job. */
  async note({ job }: Job): Promise<unknown> {
    for (;;) {
      const { header } = await this.client.next("progress");
      if (header["job"] === job && header["state"] === "taken") return header["note"];
    }
  }

  /** Waits until the device has the job. */
  async taken(job: Job): Promise<void> {
    await this.note(job);
  }

  /** The kept output that a receipt names, opened and held against it. */
  async output(device: Device, receipt: Receipt): Promise<readonly KeptStream[]> {
    const pieces: Uint8Array[] = [];
    const size = receipt.result?.size ?? 0;
    for (let offset = 0; offset < size; offset += pieces.at(-1)?.length ?? size) {
      const read = { type: "read-result", job: receipt.job, device: device.id, offset };
      pieces.push((await this.client.request(read)).parts[0] ?? new Uint8Array(0));
    }
    const { sealing } = this.who;
    return openOutput(Buffer.concat(pieces), { receipt, readers: [raw(sealing)], pair: sealing });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
  }
}

/** What is public of a device, in the form that the cast's makers take; its secret keys are nobody's. */
function deviceOf(request: Uint8Array): Device {
  const { device, host, sig, enc } = readEnrolment(request, () => undefined).request;
  const [publicKey, sealingKey] = [fromBase64url(sig), fromBase64url(enc)];
  if (publicKey === undefined || sealingKey === undefined) throw new Error("a request without keys");
  const seed = seeded("nobody's")(32);
  const signer = { key: device, publicKey, sign: signerOf(seed).sign };
  return { id: device, name: host, signer, sealing: { publicKey: sealingKey, privateKey: seed }, seed };
}
