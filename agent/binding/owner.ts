// The device's owner as the state keeps it: the row, the key log that was judged, and the device's own keys.
import * as v from "valibot";
import { toBase64url } from "../../protocol/bytes.ts";
import { machineTag } from "../../protocol/enrolment.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import type { KeyLogView } from "../../protocol/key-view.ts";
import { sealingPairOf } from "../../protocol/passphrase.ts";
import type { SealingPair } from "../../protocol/seal.ts";
import { type Signer, signerOf } from "../../protocol/signature.ts";
import type { Machine } from "../machine.ts";
import { bytesOf, numberOf, optionalBytesOf, optionalTextOf, type Row, textOf } from "../state/row.ts";
import type { State } from "../state/state.ts";

export type Owner = {
  readonly generation: number;
  readonly tenant: string;
  readonly boundAt: number;
  readonly deployment: string;
  readonly deployedAt: number;
  readonly relays: readonly string[];
  readonly class: string;
  readonly name: string | undefined;
  readonly rosterKeySeq: number;
  readonly rosterSeq: number;
  readonly device: string;
  readonly signer: Signer;
  readonly sealing: SealingPair;
  readonly machineTag: string;
  readonly enrolment: { readonly request: Uint8Array; readonly id: string; readonly proof: Uint8Array | undefined };
  readonly keyState: KeyLogState;
  readonly floor: number;
};

/** A device's own keys, and the request for admission that they sign. */
export type NewIdentity = Pick<Owner, "device" | "machineTag" | "enrolment"> & {
  readonly seed: Uint8Array;
  readonly sealingKey: Uint8Array;
};

/** Whether this identity was made on this machine; otherwise it is the copy of a disk. */
export function isOwnMachine(owner: Pick<Owner, "tenant" | "machineTag">, { machineId }: Machine): boolean {
  return toBase64url(machineTag(owner.tenant, machineId)) === owner.machineTag;
}

type LogEntries = readonly { readonly id: string; readonly bytes: Uint8Array }[];

/** What a new binding brings. */
export type NewOwner = NewIdentity &
  Pick<Owner, "tenant" | "boundAt" | "deployment" | "deployedAt" | "relays" | "class" | "keyState"> & {
    /** What is added to the log's entries that are kept already. */
    readonly log: { readonly from: number; readonly entries: LogEntries };
  };

const Relays = v.array(v.string());

export function readOwner(state: State): Owner | undefined {
  const row = state.get("SELECT * FROM owner");
  return row === undefined ? undefined : ownerOf(row);
}

export function isBound(state: State): boolean {
  return state.get("SELECT 1 FROM owner") !== undefined;
}

function ownerOf(row: Row): Owner {
  return {
    generation: numberOf(row, "generation"),
    tenant: textOf(row, "tenant"),
    boundAt: numberOf(row, "bound_at"),
    deployment: textOf(row, "deployment"),
    deployedAt: numberOf(row, "deployed_at"),
    relays: v.parse(Relays, JSON.parse(textOf(row, "relays"))),
    class: textOf(row, "class"),
    name: optionalTextOf(row, "name"),
    rosterKeySeq: numberOf(row, "roster_key_seq"),
    rosterSeq: numberOf(row, "roster_seq"),
    device: textOf(row, "device"),
    signer: signerOf(bytesOf(row, "seed")),
    sealing: sealingPairOf(bytesOf(row, "sealing")),
    machineTag: textOf(row, "machine_tag"),
    enrolment: {
      request: bytesOf(row, "enrolment"),
      id: textOf(row, "enrolment_id"),
      proof: optionalBytesOf(row, "proof"),
    },
    keyState: keyStateOf(textOf(row, "key_state")),
    floor: numberOf(row, "floor"),
  };
}

// The state was judged before it was stored, in a folder that only this agent's user can write.
export function keyStateOf(json: string): KeyLogState {
  return JSON.parse(json);
}

/** Takes a new owner, inside the caller's transaction; whatever belonged to another one was removed before. */
export function writeOwner(state: State, owner: NewOwner): void {
  const generation = numberOf(state.get("SELECT COALESCE(MAX(generation), 0) + 1 AS next FROM owner") ?? {}, "next");
  state.run("DELETE FROM owner");
  state.run(
    `INSERT INTO owner (one, generation, tenant, bound_at, deployment, deployed_at, relays, class, roster_key_seq,
       roster_seq, seed, sealing, device, machine_tag, enrolment, enrolment_id, proof, key_state, floor)
     VALUES (1, ?, ?, ?, ?, ?, ?, ?, -1, -1, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
    generation,
    owner.tenant,
    owner.boundAt,
    owner.deployment,
    owner.deployedAt,
    JSON.stringify(owner.relays),
    owner.class,
    owner.seed,
    owner.sealingKey,
    owner.device,
    owner.machineTag,
    owner.enrolment.request,
    owner.enrolment.id,
    owner.enrolment.proof ?? null,
    JSON.stringify(owner.keyState),
  );
  addKeyEntries(state, { ...owner.log, heardAt: owner.boundAt });
}

/** The same owner's device under new keys, inside the caller's transaction. */
export function replaceIdentity(state: State, identity: NewIdentity): void {
  const { seed, sealingKey, device, enrolment } = identity;
  state.run(
    `UPDATE owner SET generation = generation + 1, seed = ?, sealing = ?, device = ?, machine_tag = ?, enrolment = ?,
       enrolment_id = ?, proof = ?, roster_key_seq = -1, roster_seq = -1, name = NULL`,
    seed,
    sealingKey,
    device,
    identity.machineTag,
    enrolment.request,
    enrolment.id,
    enrolment.proof ?? null,
  );
}

/** Keeps judged entries of the key log and the state after them, inside the caller's transaction. */
export function extendKeyLog(
  state: State,
  {
    keyState,
    from,
    entries,
    heardAt,
  }: {
    readonly keyState: KeyLogState;
    readonly from: number;
    readonly entries: LogEntries;
    readonly heardAt: number;
  },
): void {
  addKeyEntries(state, { from, entries, heardAt });
  state.run("UPDATE owner SET key_state = ?", JSON.stringify(keyState));
}

function addKeyEntries(
  state: State,
  { from, entries, heardAt }: { readonly from: number; readonly entries: LogEntries; readonly heardAt: number },
): void {
  for (const [i, { id, bytes }] of entries.entries()) {
    state.run("INSERT INTO key_entry (seq, id, bytes, heard_at) VALUES (?, ?, ?, ?)", from + i, id, bytes, heardAt);
  }
}

/** The key log as the protocol looks at it. */
export function keyLogView(state: State, keyState: KeyLogState): KeyLogView {
  return { state: keyState, idAt: (seq) => keyEntryId(state, seq) };
}

export function heardAtPlace(state: State, seq: number): number | undefined {
  const row = state.get("SELECT heard_at FROM key_entry WHERE seq = ?", seq);
  return row === undefined ? undefined : numberOf(row, "heard_at");
}

function keyEntryId(state: State, seq: number): string | undefined {
  const row = state.get("SELECT id FROM key_entry WHERE seq = ?", seq);
  return row === undefined ? undefined : textOf(row, "id");
}

export function readTombstones(state: State): ReadonlySet<string> {
  return new Set(state.all("SELECT tenant FROM tombstone").map((row) => textOf(row, "tenant")));
}

export function addTombstones(state: State, tenants: readonly string[], at: number): void {
  for (const tenant of tenants)
    state.run("INSERT OR IGNORE INTO tombstone (tenant, retired_at) VALUES (?, ?)", tenant, at);
}

/** Raises the floor under the clock to a signed time, but never above the clock: a signer cannot push it ahead (SPEC 8.5). */
export function raiseFloor(state: State, signedTime: number, now: number): void {
  state.run("UPDATE owner SET floor = MAX(floor, ?)", Math.min(signedTime, now));
}

export function readVouches(state: State): ReadonlyMap<string, number> {
  return new Map(
    state.all("SELECT operator, time FROM vouch").map((row) => [textOf(row, "operator"), numberOf(row, "time")]),
  );
}

export function addVouch(state: State, operator: string, time: number): void {
  state.run(
    "INSERT INTO vouch (operator, time) VALUES (?, ?) ON CONFLICT (operator) DO UPDATE SET time = MAX(time, excluded.time)",
    operator,
    time,
  );
}

export function newSeed(random: (bytes: number) => Uint8Array): {
  seed: Uint8Array;
  sealingKey: Uint8Array;
  device: string;
} {
  const seed = random(32);
  return { seed, sealingKey: random(32), device: signerOf(seed).key };
}

export function publicKeysOf(seed: Uint8Array, sealingKey: Uint8Array): { sig: string; enc: string } {
  return { sig: toBase64url(signerOf(seed).publicKey), enc: toBase64url(sealingPairOf(sealingKey).publicKey) };
}
