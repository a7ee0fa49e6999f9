// A logged-in connection with the logs that it brought, each judged here and never set back.
import type { KeyLogState } from "../../protocol/key-state.ts";
import type { KeyLogView } from "../../protocol/key-view.ts";
import { refuse } from "../../protocol/refusal.ts";
import type { Roster } from "../../protocol/roster.ts";
import type { Desk } from "../desk.ts";
import { Fault } from "../fault.ts";
import { readGrant } from "../home/home.ts";
import { underLock } from "../home/home-lock.ts";
import { MAX_CLOCK_DIFFERENCE_MS } from "../limits.ts";
import { RelayClient } from "./relay-client.ts";
import { syncLogs } from "./sync.ts";

export class Session implements Disposable {
  readonly desk: Desk;
  #client: RelayClient;
  /** The relay's clock less ours, as of the hello. */
  readonly clockDifferenceMs: number;
  state: KeyLogState;
  roster: Roster;

  constructor(desk: Desk, client: RelayClient, { clockDifferenceMs, state, roster }: SessionStart) {
    this.desk = desk;
    this.#client = client;
    this.clockDifferenceMs = clockDifferenceMs;
    this.state = state;
    this.roster = roster;
  }

  /** The line of the moment. */
  get client(): RelayClient {
    return this.#client;
  }

  /** Dials and logs in anew after the line was cut. What was watched over the old one is not; logs are not synced. */
  async reconnect(): Promise<void> {
    this.#client.close();
    this.#client = (await dialHome(this.desk)).client;
  }

  get view(): KeyLogView {
    return this.desk.cache.keyView(this.state);
  }

  get now(): number {
    return this.desk.world.now();
  }

  /** Fetches and judges what either log has grown by. */
  async sync(): Promise<void> {
    const { state, roster } = await syncLogs(this.desk, this.client, undefined);
    this.state = state;
    this.roster = roster;
  }

  /** Throws `clock-off` where a job signed now would have another time window than its signer means. */
  checkClock(): void {
    const difference = Math.abs(this.clockDifferenceMs);
    if (difference <= MAX_CLOCK_DIFFERENCE_MS) return;
    const relay = new Date(this.now + this.clockDifferenceMs).toISOString();
    throw new Fault("clock-off", `here it is ${new Date(this.now).toISOString()}, at the relay ${relay}`);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

type SessionStart = {
  readonly clockDifferenceMs: number;
  readonly state: KeyLogState;
  readonly roster: Roster;
};

/**
 * Dials the home's relay, logs in with the access key and its grant, and brings both logs up to date. Throws
 * `access-expired` before dialling where the grant is missing; `log-fork` or `relay-behind` where a log was set back.
 */
export async function openSession(desk: Desk): Promise<Session> {
  const { client, hello, welcome } = await dialHome(desk);
  try {
    const clockDifferenceMs = hello.time - desk.world.now();
    const synced = await underLock(desk.home.folder, () => syncLogs(desk, client, welcome));
    return new Session(desk, client, { clockDifferenceMs, ...synced });
  } catch (error) {
    client.close();
    throw error;
  }
}

async function dialHome({ home, world }: Desk) {
  const grant = readGrant(home.folder);
  if (grant === undefined) throw refuse("access-expired", "this client has no access yet");
  const { client, hello } = await RelayClient.dial(home.config.relay, world);
  try {
    const { signer } = home.access;
    const login = { tenant: home.config.tenant, role: "access", signer, grant, now: world.now() } as const;
    return { client, hello, welcome: await client.logIn(hello, login) };
  } catch (error) {
    client.close();
    throw error;
  }
}
