// One tenant as the relay judges it: its key log and roster in memory, each entry stored before it counts, and who is connected.
import { readEnvelope, statementId } from "../protocol/envelope.ts";
import { admitKey } from "../protocol/key-admission.ts";
import { judgeEvent, judgeGenesis } from "../protocol/key-log.ts";
import type { KeyLogState } from "../protocol/key-state.ts";
import type { KeyLogView } from "../protocol/key-view.ts";
import { Refusal } from "../protocol/refusal.ts";
import type { RosterEvent } from "../protocol/roster-event.ts";
import { judgeRosterEvent, type Roster, snapshotRoster } from "../protocol/roster.ts";
import type { LogName } from "../protocol/wire-fields.ts";
import { Hub } from "./hub.ts";
import { ROSTER_SNAPSHOT_ENTRIES } from "./limits.ts";
import { loadRoster } from "./load-roster.ts";
import type { Store } from "./store.ts";
import type { StoredTenant } from "./store-logs.ts";

/**
 * What an entry did: nothing where it was there before; else its place, the device that a roster entry is about, and whether
 * it settled a request or a proposal.
 */
export type Appended =
  | { readonly type: "known" }
  | {
      readonly type: "added";
      readonly seq: number;
      readonly device?: string;
      readonly removed: boolean;
      readonly settled: boolean;
    };

export class Tenant {
  readonly n: number;
  readonly id: string;
  readonly hub = new Hub();
  readonly #store: Store;
  readonly #keyIds: string[] = [];
  #retiredBy: string | undefined;
  #state: KeyLogState;
  #roster: Roster;

  /** Loads a tenant. Keys of stored entries were admitted when the entries came, so that is not done again. */
  constructor(store: Store, { n, id, retiredBy }: StoredTenant) {
    this.n = n;
    this.id = id;
    this.#retiredBy = retiredBy;
    this.#store = store;
    const [genesis, ...later] = [...store.logs.entries({ n, log: "key" }, 0)];
    if (genesis === undefined) throw new Error(`internal error: tenant ${id} has no key log`);
    this.#state = judgeGenesis(genesis.bytes, () => undefined).state;
    for (const { bytes } of later) this.#state = judgeEvent(this.#state, bytes, () => undefined).state;
    this.#keyIds.push(genesis.id, ...later.map((entry) => entry.id));
    this.#roster = loadRoster(store, { n, view: this.view });
  }

  get state(): KeyLogState {
    return this.#state;
  }

  /** The tenant that took this one's place here: nobody but devices is served any more, and no job is sent. */
  get retiredBy(): string | undefined {
    return this.#retiredBy;
  }

  get roster(): Roster {
    return this.#roster;
  }

  get view(): KeyLogView {
    return { state: this.#state, idAt: (seq) => this.#keyIds[seq] };
  }

  /** Judges and stores the entry after the head; synced. An entry that is there already is taken again. Throws a refusal. */
  append(log: LogName, bytes: Uint8Array, now: number): Appended {
    try {
      return log === "key" ? this.#appendKey(bytes) : this.#appendRoster(bytes, now);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "log-fork") throw error;
      if (!this.#store.logs.has({ n: this.n, log }, statementId(readEnvelope(bytes)))) throw error;
      return { type: "known" };
    }
  }

  /** After the commit that stored it. */
  retire(by: string): void {
    this.#retiredBy = by;
  }

  #appendKey(bytes: Uint8Array): Appended {
    const { n } = this;
    const { logs, requests, proposals } = this.#store;
    const { state, id } = judgeEvent(this.#state, bytes, admitKey);
    const { seq } = state.head;
    const newKeys = state.seen.slice(this.#state.seen.length);
    const settled = this.#store.db.commit("key event", () => {
      logs.append({ n, log: "key" }, { seq, id, bytes });
      const isProposed = proposals.drop({ n, id });
      return requests.dropKeys(n, newKeys) > 0 || isProposed;
    });
    this.#state = state;
    this.#keyIds.push(id);
    return { type: "added", seq, removed: false, settled };
  }

  // Judging changes the roster in place; where storing then fails, it is loaded again.
  #appendRoster(bytes: Uint8Array, now: number): Appended {
    const { event, id } = judgeRosterEvent(this.#roster, bytes, this.view);
    try {
      this.#store.db.commit("roster event", () => this.#storeRosterEvent({ event, id, bytes, now }));
    } catch (error) {
      this.#roster = loadRoster(this.#store, { n: this.n, view: this.view });
      throw error;
    }
    const device = deviceOf(event);
    const about = device === undefined ? {} : { device };
    const removed = event.type === "device.remove";
    return { type: "added", seq: event.seq, removed, settled: false, ...about };
  }

  #storeRosterEvent({ event, id, bytes, now }: { event: RosterEvent; id: string; bytes: Uint8Array; now: number }) {
    const { n } = this;
    const { logs, devices } = this.#store;
    logs.append({ n, log: "roster" }, { seq: event.seq, id, bytes });
    const device = deviceOf(event);
    if (device !== undefined) logs.mention({ n, device, seq: event.seq });
    if (event.type === "device.admit") devices.setAdmitted({ n, device: event.device });
    if (event.type === "device.remove") devices.setRemoved({ n, device: event.device }, now);
    if ((event.seq + 1) % ROSTER_SNAPSHOT_ENTRIES === 0) {
      logs.saveRosterSnapshot({ n, seq: event.seq, json: JSON.stringify(snapshotRoster(this.#roster)) });
    }
  }
}

/** The device that must hear of a roster entry. */
function deviceOf(event: RosterEvent): string | undefined {
  switch (event.type) {
    case "device.admit":
    case "device.name":
    case "device.class":
    case "device.remove":
      return event.device;
    default:
      return undefined;
  }
}
