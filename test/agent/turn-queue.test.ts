// Whose turn it is: order, locks, windows, fairness between operators, and what a look costs where ten thousand wait.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TurnQueue, type Waiting } from "../../agent/jobs/turn-queue.ts";
import type { WallClock } from "../../protocol/window.ts";

const NOON: WallClock = { day: "mon", minute: 720 };
const noon = () => NOON;
const MINUTE = 60_000;

function waiting(job: string, over: Partial<Waiting> = {}): Waiting {
  return { job, signer: "ada", notBefore: 0, expiresAt: 1e12, lock: undefined, window: undefined, ...over };
}

function queueOf(...all: readonly Waiting[]): TurnQueue {
  const queue = new TurnQueue();
  for (const one of all) queue.add(one);
  return queue;
}

/** Everything that may begin, one after the other, none of them ending. */
function drain(queue: TurnQueue, now = 10, wall = noon): readonly string[] {
  const taken: string[] = [];
  for (let next = queue.take(now, wall); next !== undefined; next = queue.take(now, wall)) {
    taken.push(next.job);
    queue.hold(next.lock);
  }
  return taken;
}

describe("the queue of turns", () => {
  it("lets nobody overtake who could run, and lets pass who waits for a lock or a time", () => {
    const queue = queueOf(waiting("locked", { lock: "apt" }), waiting("later", { notBefore: 100 }), waiting("free"));
    queue.hold("apt");
    expect(drain(queue)).toEqual(["free"]);
    expect(queue.nextLook(10)).toBe(100);
    queue.release("apt");
    expect(drain(queue, 200)).toEqual(["locked", "later"]);
  });

  it("serves one operator after the other, and each in the order of acceptance", () => {
    const many = Array.from({ length: 5 }, (_, n) => waiting(`ada ${n}`));
    const queue = queueOf(...many, waiting("grace 0", { signer: "grace" }), waiting("grace 1", { signer: "grace" }));
    expect(drain(queue)).toEqual(["ada 0", "grace 0", "ada 1", "grace 1", "ada 2", "ada 3", "ada 4"]);
  });

  it("gives a single job its turn before the second of another operator's thousand", () => {
    const queue = queueOf(...Array.from({ length: 1000 }, (_, n) => waiting(`ada ${n}`)));
    queue.take(10, noon);
    queue.add(waiting("grace", { signer: "grace" }));
    const turns = drain(queue);
    expect(turns.indexOf("grace")).toBeLessThan(2);
  });

  it("hands a lock that two want from one to the other, also where one has other jobs before it", () => {
    const ada = Array.from({ length: 3 }, (_, n) => waiting(`ada ${n}`, { lock: "apt" }));
    const grace = [waiting("other", { signer: "grace" }), waiting("grace", { signer: "grace", lock: "apt" })];
    const queue = queueOf(...ada, ...grace);
    const turns: string[] = [];
    for (let next = queue.take(10, noon); next !== undefined; next = queue.take(10, noon)) {
      turns.push(next.job);
      queue.hold(next.lock);
      queue.release(next.lock);
    }
    expect(turns.filter((job) => job !== "other")).toEqual(["ada 0", "grace", "ada 1", "ada 2"]);
  });

  it("opens at a window's first minute, looks again each minute, and shuts again before a turn that comes too late", () => {
    const window = { days: ["mon"], from: "12:01", to: "12:02" } as const;
    const queue = queueOf(waiting("night", { window: { ...window, days: [...window.days] } }));
    expect(queue.take(10, noon)).toBeUndefined();
    expect(queue.nextLook(10)).toBe(MINUTE);
    expect(queue.hasDue(MINUTE, () => ({ day: "mon", minute: 721 }))).toBe(true);
    expect(queue.take(2 * MINUTE, () => ({ day: "mon", minute: 722 }))).toBeUndefined();
    expect(queue.take(3 * MINUTE, () => ({ day: "mon", minute: 721 }))?.job).toBe("night");
  });

  it("gives up what has expired, wherever it waited, and nothing else", () => {
    const closed = { days: ["tue" as const], from: "00:00", to: "24:00" as const };
    const queue = queueOf(
      waiting("locked", { lock: "apt", expiresAt: 50 }),
      waiting("shut", { window: closed, expiresAt: 50 }),
      waiting("later", { notBefore: 100, expiresAt: 500 }),
      waiting("free", { expiresAt: 60 }),
    );
    queue.hold("apt");
    queue.hasDue(10, noon);
    expect(queue.nextLook(10)).toBe(50);
    expect([queue.takeExpired(49), queue.takeExpired(50)?.job, queue.takeExpired(50)?.job]).toEqual([
      undefined,
      "locked",
      "shut",
    ]);
    expect(queue.takeExpired(50)).toBeUndefined();
    queue.release("apt");
    expect(drain(queue, 200).toSorted()).toEqual(["free", "later"]);
  });

  it("forgets a job that was removed, wherever it waited", () => {
    const queue = queueOf(waiting("a"), waiting("b"), waiting("c", { notBefore: 100 }), waiting("d"));
    queue.hasDue(10, noon);
    expect(["b", "c", "none"].map((job) => queue.remove(job))).toEqual([true, true, false]);
    expect(drain(queue, 200)).toEqual(["a", "d"]);
    expect(queue.nextLook(10)).toBeUndefined();
  });

  it("lets every job have its turn exactly once, whatever waits for what", () => {
    const job = fc.record({ signer: fc.constantFrom("a", "b", "c"), lock: fc.constantFrom(undefined, "x", "y") });
    const whole = fc.array(fc.record({ job, notBefore: fc.nat(20) }), { maxLength: 30 });
    fc.assert(
      fc.property(whole, fc.integer({ min: 1, max: 4 }), (jobs, places) => {
        const queue = queueOf(...jobs.map((one, n) => waiting(String(n), { ...one.job, notBefore: one.notBefore })));
        const running: Waiting[] = [];
        const begun: string[] = [];
        for (let now = 0; now < 200; now++) {
          while (running.length < places) {
            const next = queue.take(now, noon);
            if (next === undefined) break;
            expect(next.lock === undefined || running.every(({ lock }) => lock !== next.lock)).toBe(true);
            expect(next.notBefore).toBeLessThanOrEqual(now);
            queue.hold(next.lock);
            running.push(next);
            begun.push(next.job);
          }
          queue.release(running.shift()?.lock);
        }
        expect(begun.toSorted()).toEqual(jobs.map((_, n) => String(n)).toSorted());
      }),
    );
  });
});
