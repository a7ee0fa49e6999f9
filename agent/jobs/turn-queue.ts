// Whose turn it is: accepted jobs, each when its time has come, its window is open and its lock is free; one operator's after
// another's, and each operator's own in the order of acceptance.
import { isOpen, type WallClock, type Window } from "../../protocol/window.ts";

export type Waiting = {
  readonly job: string;
  /** The operator whose turn it takes. */
  readonly signer: string;
  readonly notBefore: number;
  readonly expiresAt: number;
  readonly lock: string | undefined;
  readonly window: Window | undefined;
};

type Entry = Waiting & { readonly order: number };
/** Jobs of one operator with one lock, or with none, in order; never empty. */
type Lane = { readonly lock: string | undefined; readonly entries: Entry[] };
/** An operator's lanes, by their lock and in the order of their first jobs. */
type Lanes = { readonly byLock: Map<string | undefined, Lane>; readonly inOrder: Lane[] };

/** Asked only where a window is in play: the zone is looked up each time. */
export type Wall = () => WallClock;

const MINUTE_MS = 60_000;

//   later --> shut --> ready --> taken       its time has come; its window is open; its turn and its lock
//               ^________/                   its window has closed before its turn
//
// Bounds below which nothing can have changed are kept, so that a look costs nothing where ten thousand jobs wait.

export class TurnQueue {
  readonly #byJob = new Map<string, Entry>();
  readonly #later = new Set<Entry>();
  readonly #shut = new Set<Entry>();
  /** By operator; who was served longest ago comes first. */
  readonly #ready = new Map<string, Lanes>();
  readonly #held = new Set<string>();
  /** Who has jobs that are ready for a lock; and the locks that several operators want. */
  readonly #wanting = new Map<string, Set<string>>();
  readonly #contested = new Set<string>();
  /** Who has a lock next, as far as it was looked up since somebody began or ceased to want or have one. */
  readonly #nextOf = new Map<string, string>();
  /** For each lock that several operators want: who had it, the last one last. */
  readonly #hadLock = new Map<string, string[]>();
  #order = 0;
  /** Nothing of `#later` is due before this, and nothing ends before the other. */
  #nextDue = Number.POSITIVE_INFINITY;
  #nextEnd = Number.POSITIVE_INFINITY;
  #seenMinute = -1;

  add(waiting: Waiting): void {
    const entry = { ...waiting, order: this.#order++ };
    this.#byJob.set(entry.job, entry);
    this.#later.add(entry);
    this.#nextDue = Math.min(this.#nextDue, entry.notBefore);
    this.#nextEnd = Math.min(this.#nextEnd, entry.expiresAt);
  }

  has(job: string): boolean {
    return this.#byJob.has(job);
  }

  get size(): number {
    return this.#byJob.size;
  }

  /** Whether it waited. */
  remove(job: string): boolean {
    const entry = this.#byJob.get(job);
    if (entry === undefined) return false;
    this.#byJob.delete(job);
    if (!this.#later.delete(entry) && !this.#shut.delete(entry)) this.#leaveLane(entry);
    return true;
  }

  isFree(lock: string | undefined): boolean {
    return lock === undefined || !this.#held.has(lock);
  }

  hold(lock: string | undefined): void {
    if (lock !== undefined) this.#held.add(lock);
  }

  release(lock: string | undefined): void {
    if (lock !== undefined) this.#held.delete(lock);
  }

  /** Whether a job waits that could run now but for a place; a new one must not overtake it. */
  hasDue(now: number, wall: Wall): boolean {
    return this.#first(now, wall) !== undefined;
  }

  /** Takes the job that may begin now. */
  take(now: number, wall: Wall): Waiting | undefined {
    const entry = this.#first(now, wall);
    if (entry === undefined) return undefined;
    this.remove(entry.job);
    this.#served(entry);
    return entry;
  }

  /** Takes a job whose end has come before its turn. */
  takeExpired(now: number): Waiting | undefined {
    if (now < this.#nextEnd) return undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#byJob.values()) {
      if (entry.expiresAt <= now) {
        this.remove(entry.job);
        return entry;
      }
      next = Math.min(next, entry.expiresAt);
    }
    this.#nextEnd = next;
    return undefined;
  }

  /** When to look again, though no job ends and no lock is freed: a time comes, a job expires, or the minute changes for a window. */
  nextLook(now: number): number | undefined {
    const nextMinute = this.#shut.size === 0 ? Number.POSITIVE_INFINITY : (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS;
    const next = Math.min(this.#nextDue, this.#nextEnd, nextMinute);
    return this.#byJob.size === 0 || next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  #first(now: number, wall: Wall): Entry | undefined {
    this.#advance(now, wall);
    for (const [signer, lanes] of this.#ready) {
      const entry = this.#choose(signer, lanes, wall);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** Moves on whatever has become due, and what stands before an open window. */
  #advance(now: number, wall: Wall): void {
    const minute = Math.floor(now / MINUTE_MS);
    const isNews = now >= this.#nextDue;
    if (isNews) this.#takeDue(now);
    if (this.#shut.size === 0 || (!isNews && minute === this.#seenMinute)) return;
    this.#seenMinute = minute;
    const clock = wall();
    for (const entry of this.#shut) {
      if (entry.window !== undefined && !isOpen(entry.window, clock)) continue;
      this.#shut.delete(entry);
      this.#enterLane(entry);
    }
  }

  #takeDue(now: number): void {
    this.#nextDue = Number.POSITIVE_INFINITY;
    for (const entry of this.#later) {
      if (entry.notBefore > now) {
        this.#nextDue = Math.min(this.#nextDue, entry.notBefore);
        continue;
      }
      this.#later.delete(entry);
      if (entry.window === undefined) this.#enterLane(entry);
      else this.#shut.add(entry);
    }
  }

  /** An operator's turn: a lock that others want too where it is theirs to have next, else their first job whose lock is free. */
  #choose(signer: string, lanes: Lanes, wall: Wall): Entry | undefined {
    for (const lock of this.#contested) {
      const lane = lanes.byLock.get(lock);
      if (lane === undefined || !this.isFree(lock) || this.#nextFor(lock) !== signer) continue;
      const entry = this.#headOf(lane, wall);
      if (entry !== undefined) return entry;
    }
    return this.#firstFree(signer, lanes, wall);
  }

  // No more lanes are passed over than jobs run, besides locks that are another's next.
  #firstFree(signer: string, { inOrder }: Lanes, wall: Wall): Entry | undefined {
    for (let at = 0; at < inOrder.length; ) {
      const lane = inOrder[at];
      if (lane === undefined) return undefined;
      const entry = this.#mayHave(lane.lock, signer) ? this.#openHead(lane, wall) : undefined;
      if (entry === "moved") continue;
      if (entry !== undefined) return entry;
      at++;
    }
    return undefined;
  }

  #mayHave(lock: string | undefined, signer: string): boolean {
    if (lock === undefined || !this.isFree(lock)) return lock === undefined;
    return !this.#contested.has(lock) || this.#nextFor(lock) === signer;
  }

  #headOf(lane: Lane, wall: Wall): Entry | undefined {
    for (;;) {
      const entry = this.#openHead(lane, wall);
      if (entry !== "moved") return entry;
    }
  }

  /** The first of a lane; where its window has closed it stands aside, and the lane has moved or is gone. */
  #openHead({ entries }: Lane, wall: Wall): Entry | "moved" | undefined {
    const [entry] = entries;
    if (entry?.window === undefined || isOpen(entry.window, wall())) return entry;
    this.#leaveLane(entry);
    this.#shut.add(entry);
    return "moved";
  }

  /** A lock that several want goes from one to the next: who had it longest ago, or never, has it next. */
  #nextFor(lock: string): string | undefined {
    const known = this.#nextOf.get(lock);
    if (known !== undefined) return known;
    const had = this.#hadLock.get(lock) ?? [];
    const wanting = [...(this.#wanting.get(lock) ?? [])];
    if (wanting.length === 0) return undefined;
    const next = wanting.reduce((a, b) => (had.indexOf(b) < had.indexOf(a) ? b : a));
    this.#nextOf.set(lock, next);
    return next;
  }

  /** Who was served goes to the end. */
  #served({ signer, lock }: Entry): void {
    const lanes = this.#ready.get(signer);
    if (lanes !== undefined) {
      this.#ready.delete(signer);
      this.#ready.set(signer, lanes);
    }
    if (lock === undefined) return;
    this.#nextOf.delete(lock);
    const had = (this.#hadLock.get(lock) ?? []).filter((one) => one !== signer);
    if (this.#wanting.has(lock)) this.#hadLock.set(lock, [...had, signer]);
    else this.#hadLock.delete(lock);
  }

  #enterLane(entry: Entry): void {
    const { signer, lock } = entry;
    const lanes = this.#ready.get(signer) ?? { byLock: new Map(), inOrder: [] };
    this.#ready.set(signer, lanes);
    const known = lanes.byLock.get(lock);
    const lane = known ?? { lock, entries: [] };
    if (known !== undefined) takeOut(lanes, known);
    lane.entries.splice(placeIn(lane.entries, entry.order, orderOf), 0, entry);
    lanes.byLock.set(lock, lane);
    putIn(lanes, lane);
    if (lock !== undefined && known === undefined) this.#want(lock, signer);
  }

  #leaveLane(entry: Entry): void {
    const { signer, lock, order } = entry;
    const lanes = this.#ready.get(signer);
    const lane = lanes?.byLock.get(lock);
    if (lanes === undefined || lane === undefined) return;
    takeOut(lanes, lane);
    lane.entries.splice(placeIn(lane.entries, order, orderOf), 1);
    if (lane.entries.length > 0) return putIn(lanes, lane);
    lanes.byLock.delete(lock);
    if (lanes.byLock.size === 0) this.#ready.delete(signer);
    if (lock !== undefined) this.#wantNoMore(lock, signer);
  }

  #want(lock: string, signer: string): void {
    this.#nextOf.delete(lock);
    const wanting = this.#wanting.get(lock) ?? new Set<string>();
    this.#wanting.set(lock, wanting.add(signer));
    if (wanting.size > 1) this.#contested.add(lock);
  }

  #wantNoMore(lock: string, signer: string): void {
    this.#nextOf.delete(lock);
    const wanting = this.#wanting.get(lock);
    wanting?.delete(signer);
    if ((wanting?.size ?? 0) < 2) this.#contested.delete(lock);
    if (wanting?.size === 0) this.#wanting.delete(lock);
  }
}

const orderOf = ({ order }: Entry): number => order;
const headOrder = ({ entries: [head] }: Lane): number => head?.order ?? 0;

function takeOut({ inOrder }: Lanes, lane: Lane): void {
  inOrder.splice(placeIn(inOrder, headOrder(lane), headOrder), 1);
}

function putIn({ inOrder }: Lanes, lane: Lane): void {
  inOrder.splice(placeIn(inOrder, headOrder(lane), headOrder), 0, lane);
}

/** Of the first that has this order or a higher one. */
function placeIn<T>(all: readonly T[], order: number, orderIn: (one: T) => number): number {
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = all[middle];
    if (found !== undefined && orderIn(found) < order) low = middle + 1;
    else high = middle;
  }
  return low;
}
