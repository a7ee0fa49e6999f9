/** A simulated device: real keys, real enrolment and logins, signed receipts; it answers each job without running it. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { toBase64url } from "../../protocol/bytes.ts";
import type { DeploymentPackage } from "../../protocol/deployment.ts";
import { type Enrolment, signEnrolment } from "../../protocol/enrolment.ts";
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import { readFrame, writeFrame } from "../../protocol/frame.ts";
import { readManifest } from "../../protocol/job.ts";
import { signReceipt } from "../../protocol/receipt.ts";
import { signLogin } from "../../protocol/relay-login.ts";
import { readHeader, ToDevice } from "../../protocol/wire.ts";
import { type Device, device } from "../../test/cast/device.ts";
import { digestOf } from "../../test/cast/random.ts";

export class SwarmDevice {
  readonly #device: Device;
  readonly #package: DeploymentPackage;
  readonly #enrolment: Enrolment & { readonly id: string };
  readonly #now: () => number;
  #before: { seq: number; id: string };
  #socket: WebSocket | undefined;

  constructor(word: string, deployment: DeploymentPackage, now: () => number) {
    this.#device = device(word);
    this.#package = deployment;
    this.#now = now;
    this.#enrolment = this.#signEnrolment(word);
    this.#before = { seq: 0, id: this.#enrolment.id };
  }

  /** Resolves once the relay says welcome, and has stored the enrolment where that was missing. */
  async connect(url: string, localAddress: string): Promise<void> {
    const socket = new WebSocket(`${url}/keybound/v1`, { perMessageDeflate: false, localAddress });
    this.#socket = socket;
    const welcome = Promise.withResolvers<void>();
    socket.on("error", welcome.reject);
    socket.on("close", (code) => welcome.reject(new Error(`closed with ${code}`)));
    socket.on("message", (data) => {
      if (data instanceof Uint8Array) this.#take(data, { url, onReady: welcome.resolve, onRefused: welcome.reject });
    });
    await welcome.promise;
  }

  /** Cuts the connection, if there is one. */
  async drop(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    const closed = once(socket, "close");
    socket.terminate();
    await closed;
  }

  #take(
    bytes: Uint8Array,
    { url, onReady, onRefused }: { url: string; onReady: () => void; onRefused: (error: Error) => void },
  ): void {
    const frame = readFrame(bytes);
    const header = readHeader(ToDevice, frame.header);
    if (header.type === "hello") this.#logIn(url, header.challenge);
    else if (header.type === "failed") onRefused(new Error(header.message));
    else if (header.type === "welcome" && header.enrolled === false) this.#enrol();
    else if (header.type === "welcome" || (header.type === "ok" && header.rid === 1)) onReady();
    else if (header.type === "job") this.#answer(header.job, frame.parts[0] ?? new Uint8Array(0));
  }

  #logIn(url: string, challenge: string): void {
    const { signer } = this.#device;
    const sig = toBase64url(signer.publicKey);
    const { tenant } = this.#package.state;
    const relay = new URL(url).host;
    const login = { tenant, role: "device", sig, relay, challenge, time: this.#now() } as const;
    this.#socket?.send(writeFrame({ type: "login" }, [signLogin(login, signer)]));
  }

  #enrol(): void {
    const { request, proof } = this.#enrolment;
    const header = { type: "enrol", rid: 1, ...(proof === undefined ? {} : { proof: toBase64url(proof) }) };
    this.#socket?.send(writeFrame(header, [request]));
  }

  #answer(job: string, envelope: Uint8Array): void {
    const read = readEnvelope(envelope);
    const { tenant } = readManifest(read.payload);
    const seq = this.#before.seq + 1;
    const time = this.#now();
    const receipt = signReceipt(
      {
        tenant,
        device: this.#device.id,
        seq,
        prev: this.#before.id,
        job,
        statement: statementId(read),
        outcome: { type: "exited", code: 0 },
        startedAt: time,
        finishedAt: time,
        output: [],
        contained: "yes",
        keyHead: this.#package.state.head,
        forks: [],
        journal: { seq, hash: digestOf("journal") },
        bootId: "boot-1",
        time,
        clock: "ok",
        agent: "0.1.0",
      },
      this.#device.signer,
    );
    this.#before = { seq, id: receipt.id };
    this.#socket?.send(writeFrame({ type: "taken", job }));
    this.#socket?.send(writeFrame({ type: "receipt", rid: 1 + seq, job, seq }, [receipt.bytes]));
  }

  #signEnrolment(word: string) {
    const { signer, sealing, id } = this.#device;
    const { state, deployment, tokenSecret, id: deploymentId } = this.#package;
    const request = {
      tenant: state.tenant,
      device: id,
      sig: toBase64url(signer.publicKey),
      enc: toBase64url(sealing.publicKey),
      host: word,
      platform: "linux",
      release: "1",
      arch: "x64",
      machineTag: digestOf(`machine ${word}`),
      deployment: deploymentId,
      ...(deployment.token === undefined ? {} : { token: deployment.token }),
      agent: "0.1.0",
      time: this.#now(),
    } as const;
    return signEnrolment(request, { signer, tokenSecret });
  }
}
