// Moves that tests of the relay make again and again: submitting a job, uploading a result and its receipt, asking for a key.
import type { JsonObject } from "../../protocol/strict-json.ts";
import type { Job } from "../cast/job.ts";
import { idOf } from "../cast/random.ts";
import type { Answer, AnswerSetup, ReceiptChain } from "../cast/receipts.ts";
import type { Person } from "../cast/person.ts";
import type { Tenant } from "../cast/tenant.ts";
import { WireClient } from "../cast/wire-client.ts";

export type Submission = { readonly header: JsonObject; readonly parts: readonly Uint8Array[] };

/** The frame that submits a job, watched, but for its number. */
export function submission(job: Job, over: JsonObject = {}): Submission {
  const { targets, expiresAt } = job.manifest;
  if (!Array.isArray(targets) || typeof expiresAt !== "number") throw new Error("a manifest without targets");
  const header = { type: "submit", job: job.job, batch: idOf(`batch of ${job.job}`), expiresAt, targets, watch: true };
  return { header: { ...header, ...over }, parts: [job.envelope, job.body, ...job.wraps] };
}

/** Uploads a result in parts of this size. */
export async function upload(
  client: WireClient,
  job: string,
  result: Uint8Array,
  partBytes = 256 * 1024,
): Promise<void> {
  for (let offset = 0; offset < result.length; offset += partBytes) {
    const part = result.subarray(offset, offset + partBytes);
    await client.done({ type: "result-part", job, offset, size: result.length }, [part]);
  }
}

/** A newcomer's client that has logged in by a person's new key. */
export async function newcomerAt(url: string, tenant: Tenant, who: Person): Promise<WireClient> {
  const client = await WireClient.dial(url);
  const { header } = await client.logIn(tenant, who.signer, { role: "newcomer" });
  if (header["type"] !== "welcome") throw new Error(`not welcome: ${JSON.stringify(header)}`);
  return client;
}

/** The code with which a request fails; `ok` or another type where it does not. */
export async function codeFor(
  client: WireClient,
  header: JsonObject,
  parts: readonly Uint8Array[] = [],
): Promise<string> {
  const { code, type } = (await client.request(header, parts)).header;
  return typeof code === "string" ? code : typeof type === "string" ? type : "nothing";
}

/** Answers a job: the result, if the answer has one, then the receipt. */
export async function sendReceipt(client: WireClient, chain: ReceiptChain, setup: AnswerSetup): Promise<Answer> {
  const answer = chain.answer(setup);
  if (answer.result !== undefined) await upload(client, setup.job.job, answer.result);
  await client.done({ type: "receipt", job: setup.job.job, seq: chain.answers.length }, [answer.bytes]);
  return answer;
}
