// The attacker of the quickstart: somebody who has an operator's home folder and the relay's queue, but no signature key.
// They read any job, open it by the stolen access key, seal it for any device, and have the relay deliver it; what they
// cannot do is sign. Each attack is therefore whole but for the one thing that the device must notice.
import { randomBytes } from "node:crypto";
import { toBase64, toBase64url } from "../../protocol/bytes.ts";
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import { type JobManifest, readManifest } from "../../protocol/job.ts";
import { keyBytes } from "../../protocol/key-state.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { unwrapKey, wrapKey } from "../../protocol/seal.ts";
import { signerOf } from "../../protocol/signature.ts";
import { Cache } from "../../operator/home/cache.ts";
import { type BodyFields, composeJobs } from "../../operator/jobs/compose-job.ts";
import { findDevice } from "../../operator/devices/device-name.ts";
import { type Home, openHome, readGrant } from "../../operator/home/home.ts";
import { statementSigner } from "../../operator/unlock/keyring.ts";
import { RelayClient } from "../../operator/connection/relay-client.ts";

const HOUR_MS = 3_600_000;
const ANSWER_MS = 15_000;
const random = (bytes: number) => new Uint8Array(randomBytes(bytes));

/** A job in the attacker's hands: what was signed, and what it takes to seal it to anybody. */
export type Loot = {
  readonly envelope: Uint8Array;
  readonly manifest: JobManifest;
  /** The sealed body and its key. */
  readonly body: Uint8Array;
  readonly contentKey: Uint8Array;
};

export class Attacker implements Disposable {
  readonly #home: Home;
  readonly #cache: Cache;
  readonly #client: RelayClient;

  private constructor(home: Home, cache: Cache, client: RelayClient) {
    this.#home = home;
    this.#cache = cache;
    this.#client = client;
  }

  /** Logs in with the stolen home's access key and grant; no passphrase is known. */
  static async logIn(folder: string): Promise<Attacker> {
    const home = openHome(folder, process.platform);
    const grant = readGrant(folder);
    if (grant === undefined) throw new Error(`no access grant in ${folder}`);
    const { client, hello } = await RelayClient.dial(home.config.relay, { env: {}, platform: process.platform });
    const { tenant } = home.config;
    await client.logIn(hello, { tenant, role: "access", signer: home.access.signer, grant, now: Date.now() });
    return new Attacker(home, new Cache(folder), client);
  }

  /** Takes a job from the relay, and opens it. */
  async take(job: string): Promise<Loot> {
    const { parts } = await this.#client.ask("job-record", { type: "read-job", job });
    const [envelope, body, ...wraps] = parts;
    if (envelope === undefined || body === undefined) throw new Error(`the relay has nothing of job ${job}`);
    const manifest = readManifest(readEnvelope(envelope).payload);
    const pair = this.#home.access.sealing;
    const wrap = wraps[manifest.readers.indexOf(toBase64url(pair.publicKey))];
    const use = { purpose: "job-body", statement: statementOf(envelope) } as const;
    const contentKey = wrap && unwrapKey(wrap, { pair, use });
    if (contentKey === undefined) throw new Error(`job ${job} does not open with the access key`);
    return { envelope, manifest, body, contentKey };
  }

  /** A job of the attacker's own for a device, signed by a key that they just made. */
  async forge(to: string, source: string): Promise<Loot> {
    const state = this.#cache.keyState();
    if (state === undefined) throw new Error("the stolen home has no key log");
    const { config, access } = this.#home;
    const limits = { timeMs: HOUR_MS, outputBytes: 1024 };
    const body: BodyFields = {
      shell: "sh",
      source,
      args: [],
      env: [],
      user: { as: "system" },
      limits,
      mayReboot: false,
    };
    const [job] = await composeJobs(
      { work: { kind: "run", body }, targets: [this.device(to)], expiresInMs: HOUR_MS },
      {
        state,
        signer: statementSigner(signerOf(random(32))),
        operator: config.operator,
        access: access.sealing.publicKey,
        now: Date.now(),
        random,
      },
    );
    const [envelope, sealed, , own] = job?.parts ?? [];
    if (job === undefined || envelope === undefined || sealed === undefined || own === undefined)
      throw new Error("internal error: a job without its parts");
    const use = { purpose: "job-body", statement: job.statement } as const;
    const contentKey = unwrapKey(own, { pair: access.sealing, use });
    if (contentKey === undefined) throw new Error("internal error: our own job does not open");
    return { envelope, manifest: job.manifest, body: sealed, contentKey };
  }

  device(name: string): RosterDevice {
    return findDevice(this.#cache.roster(this.#home.config.tenant), name);
  }

  /**
   * Has the relay deliver a job to a device, under an id that it never saw. Answers what the device said when it took
   * it, which is not signed; `undefined` where it refused nothing.
   */
  async deliver({ envelope, body, contentKey }: Loot, to: string): Promise<string | undefined> {
    const { device, enc } = this.device(to);
    const use = { purpose: "job-body", statement: statementOf(envelope) } as const;
    const wrap = wrapKey(contentKey, { recipient: keyBytes(enc), use, random });
    const [job, batch] = [toBase64url(random(16)), toBase64url(random(16))];
    const taken = this.#taken(job);
    const header = { type: "submit", job, batch, expiresAt: Date.now() + HOUR_MS, targets: [device], watch: true };
    await this.#client.ask("ok", header, [envelope, body, wrap]);
    return await taken;
  }

  /** The receipts of a device that the relay keeps, from a place of its chain on: anybody with access may read them. */
  async receipts(name: string, from: number): Promise<readonly Uint8Array[]> {
    const { device } = this.device(name);
    return (await this.#client.ask("receipts", { type: "list-receipts", device, from })).parts;
  }

  [Symbol.dispose](): void {
    this.#client.close();
    this.#cache[Symbol.dispose]();
  }

  #taken(job: string): Promise<string | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    const timer = setTimeout(() => reject(new Error(`the device did not take job ${job}`)), ANSWER_MS);
    this.#client.listen(({ header }) => {
      if (header.type === "progress" && header.job === job && header.state === "taken") resolve(header.note);
    }, reject);
    return promise.finally(() => clearTimeout(timer));
  }
}

/** The job with one character of its id changed, so that it would count as a new one; the signature stays as it was. */
export function withOtherId(loot: Loot): Loot & { readonly from: string; readonly to: string } {
  const { envelope, manifest } = loot;
  const from = manifest.job;
  const to = `${from.startsWith("A") ? "B" : "A"}${from.slice(1)}`;
  const { payload, payloadType, signatures } = readEnvelope(envelope);
  const changed = Buffer.from(payload).toString("utf8").replace(`"job":"${from}"`, `"job":"${to}"`);
  const json = {
    payload: toBase64(Buffer.from(changed, "utf8")),
    payloadType,
    signatures: signatures.map(({ key, signature }) => ({ keyid: key, sig: toBase64(signature) })),
  };
  return { ...loot, envelope: Buffer.from(JSON.stringify(json), "utf8"), manifest: { ...manifest, job: to }, from, to };
}

function statementOf(envelope: Uint8Array): string {
  return statementId(readEnvelope(envelope));
}
