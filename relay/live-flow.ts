// How far one device's live output of one job may go: credit, counted, without clock or socket. Watchers say what they take, the
// device is told what the slowest of them takes; one that takes nothing for long holds up the others no more, and misses some.
import { LIVE_FIRST_BYTES } from "../protocol/limits.ts";
import { LIVE_LAG_MS } from "./limits.ts";

/** Less room than this is none: no frame of use fits. */
const LEAST_ROOM_BYTES = 2048;

type Taker = { sent: number; upTo: number; fullAtMs: number | undefined };

/** `W` stands for a watcher. */
export class LiveFlow<W> {
  readonly #takers = new Map<W, Taker>();
  #received = 0;
  #granted = LIVE_FIRST_BYTES;

  /** The device has sent the wraps: its count begins anew, that of its watchers goes on. */
  begin(watchers: Iterable<W>): void {
    this.#received = 0;
    this.#granted = LIVE_FIRST_BYTES;
    for (const watcher of watchers) this.#takerOf(watcher);
  }

  /** Begins in the middle, with the first credit: until then it holds up nobody. */
  join(watcher: W): void {
    this.#takers.set(watcher, { sent: 0, upTo: 0, fullAtMs: Number.NEGATIVE_INFINITY });
  }

  leave(watcher: W): void {
    this.#takers.delete(watcher);
  }

  /** A watcher takes bytes up to here, counted since it began to watch. */
  credit(watcher: W, upTo: number): void {
    const taker = this.#takerOf(watcher);
    taker.upTo = Math.max(taker.upTo, upTo);
    if (roomOf(taker) >= LEAST_ROOM_BYTES) taker.fullAtMs = undefined;
  }

  /** A frame of this size has come: those of the watchers who have room for it. */
  receive(bytes: number, watchers: Iterable<W>, nowMs: number): readonly W[] {
    this.#received += bytes;
    return [...watchers].filter((watcher) => {
      const taker = this.#takerOf(watcher);
      const fits = roomOf(taker) >= bytes;
      if (fits) taker.sent += bytes;
      if (roomOf(taker) < LEAST_ROOM_BYTES || !fits) taker.fullAtMs ??= nowMs;
      return fits;
    });
  }

  /** What the device is to be told now; nothing while it has more than half of what it could have. */
  grant(nowMs: number): number | undefined {
    const room = this.#room(nowMs);
    const left = this.#granted - this.#received;
    if (room <= left || left > room / 2) return undefined;
    this.#granted = this.#received + room;
    return this.#granted;
  }

  /** Milliseconds until a watcher without room will hold up the others no more; nothing where there is none. */
  lagsInMs(nowMs: number): number | undefined {
    const left = [...this.#takers.values()].flatMap(({ fullAtMs }) => {
      const ms = fullAtMs === undefined ? 0 : fullAtMs + LIVE_LAG_MS - nowMs;
      return ms > 0 ? [ms] : [];
    });
    return left.length === 0 ? undefined : Math.min(...left);
  }

  #room(nowMs: number): number {
    const takers = [...this.#takers.values()];
    const keeping = takers.filter(({ fullAtMs }) => fullAtMs === undefined || nowMs - fullAtMs < LIVE_LAG_MS);
    const rooms = (keeping.length > 0 ? keeping : takers).map(roomOf);
    return rooms.length === 0 ? 0 : Math.min(...rooms);
  }

  #takerOf(watcher: W): Taker {
    const taker = this.#takers.get(watcher) ?? { sent: 0, upTo: LIVE_FIRST_BYTES, fullAtMs: undefined };
    this.#takers.set(watcher, taker);
    return taker;
  }
}

function roomOf({ sent, upTo }: Taker): number {
  return upTo - sent;
}
