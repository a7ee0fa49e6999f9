// After a key event: waits for devices and colleagues to say that they have heard of it, and shows who has and who has not.
import { readBindingReport } from "../../protocol/binding-report.ts";
import type { LogPlace } from "../../protocol/fields.ts";
import { Refusal } from "../../protocol/refusal.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { isKind, type Message } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import { say } from "../desk.ts";
import { type ListedDevice, listDevices } from "../devices/listed-devices.ts";
import { Fault } from "../fault.ts";
import { HEARD_QUIET_MS, HEARD_WAIT_MS } from "../limits.ts";
import { heardLines } from "../present/heard-words.ts";
import { patienceOf, Pushes } from "../wait-for.ts";
import { noteCheckpoint } from "./checkpoints.ts";
import { knownHeads } from "./known-heads.ts";
import { type OddPlace, Standings } from "./standing.ts";
import { colleaguesHeard, devicesHeard, type Heard } from "./who-heard.ts";

export type { Heard } from "./who-heard.ts";

export type HeardOptions = { readonly wait?: boolean };

/**
 * Shows on stderr who knows the entry at this place, or answers it only where the command prints JSON. Waits, unless told not to, until
 * every device that is online has heard, nothing new comes any more, or Ctrl-C. Takes over the connection's pushes.
 */
export async function showHeard(session: Session, place: LogPlace, { wait = true }: HeardOptions = {}): Promise<Heard> {
  const { world, options } = session.desk;
  const hearing = new Hearing(session, place);
  await hearing.look();
  if (wait) await hearing.settle();
  const heard = await hearing.heard();
  if (options.json !== true) for (const line of heardLines(heard, session.now)) say(world, line);
  return heard;
}

class Hearing {
  readonly #session: Session;
  readonly #place: LogPlace;
  readonly #standings: Standings;
  readonly #odd = new Map<string, OddPlace>();
  /** What reports said that were pushed; kept all at once, because each keeping is a sync of the disk. */
  readonly #pushed = new Map<string, LogPlace>();
  #listed: readonly ListedDevice[] = [];
  /** Devices that are online and have not heard yet. */
  #awaited = new Set<string>();

  constructor(session: Session, place: LogPlace) {
    this.#session = session;
    this.#place = place;
    this.#standings = new Standings(session);
  }

  /** Asks the relay for all devices, and takes what it has pushed so far. */
  async look(): Promise<void> {
    this.#listed = await listDevices(this.#session);
    await knownHeads(this.#session, this.#listed);
    for (const message of this.#session.client.takePushes()) await this.#take(message);
    const { roster } = this.#session;
    const online = this.#listed.filter(({ device, online: isHere }) => isHere && roster.devices.has(device));
    this.#awaited = new Set(online.map(({ device }) => device).filter((device) => !this.#hasHeard(device)));
  }

  /** Ends when everybody online has heard, or by patience; then asks once more, because a relay may leave pushes out. */
  async settle(): Promise<void> {
    if (this.#awaited.size === 0) return;
    try {
      if (!(await this.#wait())) await this.look();
    } catch (error) {
      // The entry is in the log: a lost line ends only the waiting.
      if (!(error instanceof Fault)) throw error;
      say(this.#session.desk.world, `${error.sentence}: who has heard meanwhile is not known`);
    }
  }

  async heard(): Promise<Heard> {
    this.#session.desk.cache.keepReportedHeads(this.#pushed);
    const seen = { listed: this.#listed, standings: this.#standings };
    const devices = await devicesHeard(this.#session, this.#place, seen);
    return { place: this.#place, devices, colleagues: colleaguesHeard(this.#session, this.#place, this.#odd) };
  }

  /** Whether all that were awaited have heard. */
  async #wait(): Promise<boolean> {
    using patience = patienceOf(this.#session.desk.world, HEARD_WAIT_MS);
    const pushes = new Pushes(this.#session.client);
    while (this.#awaited.size > 0) {
      const quiet = AbortSignal.timeout(HEARD_QUIET_MS);
      const message = await pushes.next(AbortSignal.any([patience.signal, quiet]));
      if (message === undefined) return false;
      await this.#take(message);
    }
    return true;
  }

  async #take(message: Message): Promise<void> {
    if (isKind(message, "log-grew") && message.header.log === "key") this.#standings.grew();
    const [bytes] = message.parts;
    if (bytes === undefined) return;
    const notes = { standings: this.#standings, odd: this.#odd };
    if (isKind(message, "checkpoint")) await noteCheckpoint(this.#session, bytes, notes);
    if (isKind(message, "report-news")) this.#takeReport(message.header.device, bytes);
  }

  #takeReport(device: string, bytes: Uint8Array): void {
    const member = this.#session.roster.devices.get(device);
    const head = member && headIn(bytes, member, this.#session.state.tenant);
    if (head === undefined) return;
    if (head.seq > (this.#pushed.get(device)?.seq ?? -1)) this.#pushed.set(device, head);
    if (this.#hasHeard(device)) this.#awaited.delete(device);
  }

  #hasHeard(device: string): boolean {
    const kept = this.#session.desk.cache.knownHead(device)?.seq ?? -1;
    return Math.max(kept, this.#pushed.get(device)?.seq ?? -1) >= this.#place.seq;
  }
}

function headIn(bytes: Uint8Array, { sig }: RosterDevice, tenant: string): LogPlace | undefined {
  try {
    return readBindingReport(bytes, { sig, tenant }).keyHead;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
