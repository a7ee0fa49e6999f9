// Writing to the key log: signed for the place after its head, judged here first, signed again when somebody was quicker. Where
// the policy asks for more people, it waits at the relay for their signatures.
import { readEnvelope, statementId } from "../../protocol/envelope.ts";
import type { LogPlace } from "../../protocol/fields.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import type { LaterEvent } from "../../protocol/key-event.ts";
import { type Judged, judgeEvent } from "../../protocol/key-log.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { encodeStrict } from "../../protocol/strict-json.ts";
import type { RelayClient } from "../connection/relay-client.ts";
import { syncKeyLog } from "../connection/sync.ts";
import type { Cache } from "../home/cache.ts";
import { underLock } from "../home/home-lock.ts";
import { MAX_APPEND_TRIES, PROPOSAL_LIFETIME_MS } from "../limits.ts";
import { signStatement, type StatementSigner } from "../unlock/keyring.ts";

type ChainFields = "tenant" | "seq" | "prev" | "time";
type WithoutChain<E> = E extends unknown ? Omit<E, ChainFields> : never;
/** What an entry says, before it has its place in the log. */
export type KeyChange = WithoutChain<LaterEvent>;

export type KeyPlan = { readonly change: KeyChange; readonly signers: readonly StatementSigner[] };

/** Where an entry is written: a connection that may append, the cache that pins the log, and the log so far. */
export type KeyDesk = {
  /** The home, of which one command at a time writes. */
  readonly folder: string;
  readonly client: RelayClient;
  readonly cache: Cache;
  readonly now: number;
  state: KeyLogState;
};

/** `proposed`: it is signed and waits for others, by its statement's id. */
export type AppendedKey =
  | { readonly type: "appended"; readonly place: LogPlace }
  | { readonly type: "proposed"; readonly proposal: string };

/**
 * Appends what `plan` makes of the state as it is. Throws the refusal of an entry that the log does not take. After
 * `relay-unreachable` it may be in the log: its answer was lost.
 */
export async function appendKeyEvent(desk: KeyDesk, plan: (state: KeyLogState) => KeyPlan): Promise<AppendedKey> {
  return await underLock(desk.folder, () => appendUntilTaken(desk, plan));
}

async function appendUntilTaken(desk: KeyDesk, plan: (state: KeyLogState) => KeyPlan): Promise<AppendedKey> {
  for (let attempt = 1; ; attempt++) {
    const bytes = await signChange(desk, plan(desk.state));
    try {
      return await appendOnce(desk, bytes);
    } catch (error) {
      const wasOvertaken = error instanceof Refusal && error.code === "log-fork";
      if (!wasOvertaken || attempt >= MAX_APPEND_TRIES) throw error;
      desk.state = await syncKeyLog({ cache: desk.cache, tenant: desk.state.tenant }, desk.client, undefined);
    }
  }
}

/** Appends an entry that is signed already, or leaves it with the relay where only signatures are missing. */
export async function appendSigned(desk: KeyDesk, bytes: Uint8Array): Promise<AppendedKey> {
  return await underLock(desk.folder, () => appendOnce(desk, bytes));
}

async function appendOnce(desk: KeyDesk, bytes: Uint8Array): Promise<AppendedKey> {
  const judged = judgedOrFew(desk.state, bytes);
  if (judged === undefined) return await propose(desk, bytes);
  await desk.client.ask("ok", { type: "append", log: "key" }, [bytes]);
  const place = judged.state.head;
  desk.cache.addKeyEntries([{ seq: place.seq, id: judged.id, bytes }], judged.state);
  desk.state = judged.state;
  return { type: "appended", place };
}

/** Judged on our own copy first: what would be refused is not sent. `undefined`: more people have to sign. */
function judgedOrFew(state: KeyLogState, bytes: Uint8Array): Judged | undefined {
  try {
    return judgeEvent(state, bytes, admitKey);
  } catch (error) {
    if (error instanceof Refusal && error.code === "signers-few") return undefined;
    throw error;
  }
}

async function propose({ client, now }: KeyDesk, bytes: Uint8Array): Promise<AppendedKey> {
  const proposal = statementId(readEnvelope(bytes));
  await client.ask("ok", { type: "propose", proposal, expiresAt: now + PROPOSAL_LIFETIME_MS }, [bytes]);
  return { type: "proposed", proposal };
}

function signChange({ state, now }: KeyDesk, { change, signers }: KeyPlan): Promise<Uint8Array> {
  const chain = { tenant: state.tenant, seq: state.head.seq + 1, prev: state.head.id, time: now };
  return signStatement("key-event", encodeStrict({ ...chain, ...change }), signers);
}
