// The requester's side of an approval: waits to be called, reads six digits out, and learns from the key log what became of it.
import { fromBase64url, toBase64url } from "../../protocol/bytes.ts";
import { type ReadApproval, readApproval, sixDigits } from "../../protocol/key-approval.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { MAX_APPROVAL_MS, MAX_CLOCK_AHEAD_MS } from "../../protocol/limits.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { isKind, type Message, partAt, type RelayClient } from "../connection/relay-client.ts";
import { syncKeyLog } from "../connection/sync.ts";
import { type Desk, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { underLock } from "../home/home-lock.ts";
import { type PendingRequest, writePending } from "../home/pending-request.ts";
import { MAX_REQUEST_SESSIONS } from "../limits.ts";
import { plain } from "../present/escape.ts";
import { Pushes } from "../wait-for.ts";

export type Wanted = {
  /** Statement id of the request, and the thumbprint of the key that it asks for. */
  readonly request: string;
  readonly key: string;
  readonly pending: PendingRequest;
};

/** `calledBy`: who was shown digits by this client, if anybody. `waiting`: patience ended first. */
export type Outcome =
  | { readonly type: "approved"; readonly state: KeyLogState; readonly calledBy: string | undefined }
  | { readonly type: "rejected" }
  | { readonly type: "waiting" };

/** Waits on a connection that has filed the request. Throws the fault that ended the connection. */
export async function awaitApproval(
  desk: Desk,
  client: RelayClient,
  { wanted, patience }: { readonly wanted: Wanted; readonly patience: AbortSignal },
): Promise<Outcome> {
  const waiting = new Waiting(desk, client, wanted);
  return await waiting.end(patience);
}

class Waiting {
  readonly #desk: Desk;
  readonly #client: RelayClient;
  readonly #wanted: Wanted;
  #sessions: number;
  #calledBy: string | undefined;

  constructor(desk: Desk, client: RelayClient, wanted: Wanted) {
    this.#desk = desk;
    this.#client = client;
    this.#wanted = wanted;
    this.#sessions = wanted.pending.sessions;
  }

  async end(patience: AbortSignal): Promise<Outcome> {
    const pushes = new Pushes(this.#client);
    for (;;) {
      const state = await this.#sync();
      if (state.operators.some(({ key }) => key === this.#wanted.key)) {
        return { type: "approved", state, calledBy: this.#calledBy };
      }
      const message = await this.#nextNews(pushes, patience);
      if (message === undefined) return { type: "waiting" };
      if (isKind(message, "request-closed"))
        return { type: message.header.why === "rejected" ? "rejected" : "waiting" };
    }
  }

  /** Answers calls until the log has grown or the request was closed; `undefined` where patience ended. */
  async #nextNews(pushes: Pushes, patience: AbortSignal): Promise<Message | undefined> {
    for (;;) {
      const message = await pushes.next(patience);
      if (message === undefined || isKind(message, "log-grew")) return message;
      if (isKind(message, "request-closed") && message.header.request === this.#wanted.request) return message;
      if (isKind(message, "approval-news")) await this.#takeCall(partAt(message.parts, 0));
    }
  }

  /** An admin calls. A call that is not for our request, by no admin or out of time is said, and nothing is told. */
  async #takeCall(bytes: Uint8Array): Promise<void> {
    const { world } = this.#desk;
    const read = await this.#readCall(bytes);
    if (read instanceof Refusal) return say(world, `a call was refused: ${read.code}: ${plain(read.detail)}`);
    const obstacle = this.#obstacleTo(read);
    if (obstacle !== undefined) return say(world, `a call by ${read.approver.name} was refused: ${obstacle}`);
    await this.#reveal(read);
  }

  async #readCall(bytes: Uint8Array): Promise<ReadApproval | Refusal> {
    try {
      const state = await this.#sync();
      return readApproval(bytes, this.#desk.cache.keyView(state));
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  #obstacleTo({ approval }: ReadApproval): string | undefined {
    const leftMs = approval.expiresAt - this.#desk.world.now();
    if (approval.request !== this.#wanted.request) return "it is for another request than this one";
    if (leftMs <= 0 || leftMs > MAX_APPROVAL_MS + MAX_CLOCK_AHEAD_MS) return "it is out of time, or a clock is wrong";
    if (this.#sessions >= MAX_REQUEST_SESSIONS) return new Fault("request-spent", "").sentence;
    return undefined;
  }

  /** Counted on the disk before it is told. */
  async #reveal({ approval, id, approver }: ReadApproval): Promise<void> {
    const { pending, request } = this.#wanted;
    this.#sessions += 1;
    writePending(this.#desk.home.folder, { ...pending, sessions: this.#sessions });
    const nonce = toBase64url(pending.nonce);
    await this.#client.ask("ok", { type: "reveal", session: approval.session, nonce });
    const digits = sixDigits({
      request,
      approval: id,
      requesterNonce: pending.nonce,
      approverNonce: fromBase64url(approval.nonce) ?? new Uint8Array(0),
    });
    this.#calledBy = approver.name;
    say(this.#desk.world, `\n${approver.name} takes up your request. Read these six digits out to them, by voice:\n`);
    say(this.#desk.world, `    ${digits.slice(0, 3)} ${digits.slice(3)}\n`);
  }

  async #sync(): Promise<KeyLogState> {
    const { home, cache } = this.#desk;
    const log = { cache, tenant: home.config.tenant };
    return await underLock(home.folder, () => syncKeyLog(log, this.#client, undefined));
  }
}
