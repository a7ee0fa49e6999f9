// A device on a real socket that does what a test tells it: enrols by a package, takes jobs, answers, keeps silent or lies.
import { readFileSync } from "node:fs";
import { type BindingReport, signBindingReport } from "../../protocol/binding-report.ts";
import { concat, toBase64url } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { type DeploymentPackage, readPackage } from "../../protocol/deployment.ts";
import { signEnrolment } from "../../protocol/enrolment.ts";
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import type { LogPlace } from "../../protocol/fields.ts";
import { type JobManifest, readManifest } from "../../protocol/job.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { type KeptStream, openLive, sealLive, sealOutput } from "../../protocol/output.ts";
import type { Outcome } from "../../protocol/outcome.ts";
import { type Receipt, signReceipt } from "../../protocol/receipt.ts";
import { signLogin } from "../../protocol/relay-login.ts";
import { type Device, device } from "../cast/device.ts";
import { digestOf, seeded } from "../cast/random.ts";
import { idOfEnvelope } from "../cast/statement.ts";
import { WireClient } from "../cast/wire-client.ts";

const NOTHING = new Uint8Array(0);

export type TakenJob = { readonly manifest: JobManifest; readonly statement: string };

export class SocketDevice {
  readonly device: Device;
  readonly #package: DeploymentPackage;
  readonly #client: WireClient;
  #before: { seq: number; id: string };
  #streamed: Receipt["live"];

  private constructor(
    of: Device,
    deployment: DeploymentPackage,
    { client, request }: { client: WireClient; request: string },
  ) {
    this.device = of;
    this.#package = deployment;
    this.#client = client;
    this.#before = { seq: 0, id: request };
  }

  /** Logs in and enrols, with the proof of the package's token. `host` is what it says of itself. */
  static async enrol(
    url: string,
    {
      file,
      word,
      host,
      platform = "linux",
    }: { file: string; word: string; host: string; platform?: "linux" | "windows" },
  ): Promise<SocketDevice> {
    const deployment = readPackage(new Uint8Array(readFileSync(file)), admitKey);
    const of = device(word);
    const client = await WireClient.dial(url);
    const sig = toBase64url(of.signer.publicKey);
    const tenant = deployment.state.tenant;
    const login = {
      tenant,
      role: "device",
      sig,
      relay: new URL(url).host,
      challenge: client.challenge,
      time: 0,
    } as const;
    client.send({ type: "login" }, [signLogin(login, of.signer)]);
    await client.next("welcome");
    const { token } = deployment.deployment;
    const enrolment = signEnrolment(
      {
        tenant,
        device: of.id,
        sig,
        enc: toBase64url(of.sealing.publicKey),
        host,
        platform,
        release: "Debian 13",
        arch: "x64",
        machineTag: digestOf(`machine ${word}`),
        deployment: deployment.id,
        ...(token === undefined ? {} : { token }),
        agent: "0.1.0",
        time: 0,
      },
      { signer: of.signer, tokenSecret: deployment.tokenSecret },
    );
    const proof = enrolment.proof === undefined ? {} : { proof: toBase64url(enrolment.proof) };
    await client.done({ type: "enrol", ...proof }, [enrolment.request]);
    return new SocketDevice(of, deployment, { client, request: enrolment.id });
  }

  /** The next job that the relay hands over. */
  async job(): Promise<TakenJob> {
    const { parts } = await this.#client.next("job");
    const envelope = readEnvelope(parts[0] ?? new Uint8Array(0));
    return { manifest: readManifest(envelope.payload), statement: statementId(envelope) };
  }

  take({ manifest }: TakenJob, refused?: string): void {
    this.#client.send({ type: "taken", job: manifest.job, ...(refused === undefined ? {} : { refused }) });
  }

  /** Streams these texts as stdout. */
  stream({ manifest, statement }: TakenJob, texts: readonly string[]): void {
    const contentKey = seeded(`live ${manifest.job}`)(32);
    const { job, readers } = manifest;
    const wraps = openLive(contentKey, { readers, statement, random: seeded(`wraps ${job}`) });
    const frames = [wraps];
    let offset = 0;
    for (const text of texts) {
      const bytes = new TextEncoder().encode(text);
      frames.push(sealLive(contentKey, frames.length, { stream: "stdout", offset, bytes }));
      offset += bytes.length;
    }
    for (const [index, frame] of frames.entries()) this.#client.send({ type: "live", job, index }, [frame]);
    this.#streamed = { frames: texts.length, wraps: digest(wraps), sha256: digest(concat(...frames)) };
  }

  /** Uploads the output and the receipt that follows the one before. */
  async answer(
    { manifest, statement }: TakenJob,
    stdout: string,
    outcome: Outcome = { type: "exited", code: 0 },
  ): Promise<void> {
    const bytes = new TextEncoder().encode(stdout);
    const kept: readonly KeptStream[] = [
      { stream: "stdout", size: bytes.length, head: bytes, tail: new Uint8Array(0) },
    ];
    const { job, readers } = manifest;
    const { sealed, result, output } = sealOutput(kept, { readers, statement, random: seeded(`output ${job}`) });
    const seq = this.#before.seq + 1;
    const receipt = signReceipt(
      {
        tenant: manifest.tenant,
        device: this.device.id,
        seq,
        prev: this.#before.id,
        job,
        statement,
        outcome,
        startedAt: manifest.issuedAt,
        finishedAt: manifest.issuedAt,
        output: [...output],
        result,
        ...(this.#streamed === undefined ? {} : { live: this.#streamed }),
        contained: "yes",
        interpreter: "/bin/sh",
        keyHead: this.#package.state.head,
        forks: [],
        journal: { seq, hash: digestOf("journal") },
        bootId: "boot-1",
        time: manifest.issuedAt,
        clock: "ok",
        agent: "0.1.0",
      },
      this.device.signer,
    );
    await this.#client.done({ type: "result-part", job, offset: 0, size: sealed.length }, [sealed]);
    await this.#client.done({ type: "receipt", job, seq }, [receipt.bytes]);
    this.#before = { seq, id: receipt.id };
    this.#streamed = undefined;
  }

  /** Waits until the relay pushes the entry of the key log at this place. */
  async hears(seq: number): Promise<LogPlace> {
    for (;;) {
      const { header, parts } = await this.#client.next("log-grew");
      const place = Number(header["from"]) + parts.length - 1;
      if (header["log"] === "key" && place >= seq) return { seq: place, id: idOfEnvelope(parts.at(-1) ?? NOTHING) };
    }
  }

  /** Reports how it stands: that it knows its package's log, unless `over` says otherwise. */
  async report(over: Partial<BindingReport> = {}): Promise<void> {
    const { tenant, head } = this.#package.state;
    const own = { tenant, device: this.device.id, keyHead: head, agent: "0.1.0", time: Date.now() };
    await this.#client.done({ type: "report" }, [signBindingReport({ ...own, ...over }, this.device.signer)]);
  }

  close(): Promise<number> {
    return this.#client.close();
  }
}
