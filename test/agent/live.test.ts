// Live output at the pace of those who take it: pure counts under any sequence of events, then the sender on a line of the test's own.
import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LiveBlocks } from "../../agent/answers/live-blocks.ts";
import { LiveOutput } from "../../agent/answers/live.ts";
import { LivePace } from "../../agent/answers/live-pace.ts";
import { concat } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { LIVE_FIRST_BYTES } from "../../protocol/limits.ts";
import { joinLive, LIVE_BYTES, type LiveChunk, readLive } from "../../protocol/output.ts";
import type { Stream } from "../../protocol/outcome.ts";
import type { JsonObject } from "../../protocol/strict-json.ts";
import { device } from "../cast/device.ts";
import { raw } from "../cast/person.ts";
import { digestOf, idOf, seeded } from "../cast/random.ts";

const BOUNDS = { stallMs: 5000, slowestPerSecond: 65_536, totalMs: 60_000, leastMs: 100 };

describe("the pace", () => {
  it("holds a job for as long as nothing is taken, and then no longer", () => {
    const pace = new LivePace(BOUNDS);
    expect(pace.hold(0)).toBe(5000);
    expect(pace.hold(4000)).toBe(1000);
    expect(pace.hold(5000)).toBe(0);
    expect(pace.hold(9000)).toBe(0);
  });

  it("holds it again by what is taken", () => {
    const pace = new LivePace(BOUNDS);
    pace.hold(0);
    pace.release(5000);
    pace.sent(32_768);
    expect(pace.hold(5000)).toBe(500);
  });

  it("begins with credit for a first line, and takes none back", () => {
    const pace = new LivePace(BOUNDS);
    pace.begin();
    pace.grant(100);
    expect(pace.room).toBe(LIVE_FIRST_BYTES);
    pace.sent(1000);
    pace.begin();
    expect(pace.room).toBe(LIVE_FIRST_BYTES);
  });

  it("never holds a job for longer in all than it may, nor for longer than what was taken allows, whatever happens", () => {
    const act = fc.oneof(
      fc.record({ type: fc.constant("hold" as const), ms: fc.nat({ max: 9000 }) }),
      fc.record({ type: fc.constant("release" as const), ms: fc.nat({ max: 9000 }) }),
      fc.record({ type: fc.constant("sent" as const), ms: fc.nat({ max: 200_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const pace = new LivePace(BOUNDS);
        let [now, heldMs, sent, until] = [0, 0, 0, 0];
        for (const { type, ms } of acts) {
          // As the sender does: a hold that is over is looked at when it is over.
          if (type === "sent") {
            pace.sent(ms);
            sent += ms;
            continue;
          }
          const passed = until > 0 ? Math.min(ms, until) : ms;
          heldMs += until > 0 ? passed : 0;
          now += passed;
          if (type === "hold") until = pace.hold(now);
          else pace.release(now);
          if (type === "release") until = 0;
        }
        expect(heldMs).toBeLessThanOrEqual(BOUNDS.totalMs + 0.01);
        expect(heldMs).toBeLessThanOrEqual(BOUNDS.stallMs + (sent * 1000) / BOUNDS.slowestPerSecond + 0.01);
      }),
    );
  });
});

describe("blocks that wait", () => {
  it("give each stream back in order and whole, in frames that are not too large", () => {
    const piece = fc.record({
      stream: fc.constantFrom("stdout" as const, "stderr" as const),
      bytes: fc.uint8Array({ maxLength: 200 }),
      times: fc.integer({ min: 1, max: 900 }),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: LIVE_BYTES }), (pieces, most) => {
        const blocks = new LiveBlocks();
        const all: Record<Stream, Uint8Array[]> = { stdout: [], stderr: [] };
        const at = { stdout: 0, stderr: 0 };
        for (const { stream, bytes: part, times } of pieces) {
          const bytes = concat(...Array.from({ length: times }, () => part));
          blocks.add({ stream, offset: at[stream], bytes });
          all[stream].push(bytes);
          at[stream] += bytes.length;
        }
        const got: Record<Stream, Uint8Array[]> = { stdout: [], stderr: [] };
        const place = { stdout: 0, stderr: 0 };
        for (let chunk = blocks.take(most); chunk !== undefined; chunk = blocks.take(most)) {
          expect(chunk.offset).toBe(place[chunk.stream]);
          expect(chunk.bytes.length).toBeLessThanOrEqual(most);
          got[chunk.stream].push(chunk.bytes.slice());
          place[chunk.stream] += chunk.bytes.length;
        }
        expect(digest(concat(...got.stdout))).toBe(digest(concat(...all.stdout)));
        expect(digest(concat(...got.stderr))).toBe(digest(concat(...all.stderr)));
        expect(blocks.bytes).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});

const reader = device("reader").sealing;
const readers = [raw(reader)];
const statement = digestOf("statement");

/** A sender on a line that keeps what is sent, and a job that is held or not. */
function scene({ timeMs = 3_600_000 } = {}) {
  const frames: { readonly index: number; readonly part: Uint8Array }[] = [];
  const line = {
    backlog: 0,
    send: (header: JsonObject, [part]: readonly Uint8Array[] = [], onSent?: () => void) => {
      frames.push({ index: Number(header["index"]), part: part ?? new Uint8Array(0) });
      if (onSent !== undefined) setImmediate(onSent);
    },
  };
  const held: boolean[] = [];
  const clock = { now: 0 };
  let connection: typeof line | undefined = line;
  const live = new LiveOutput(
    { job: idOf("job"), statement, readers, timeMs },
    { random: seeded("live"), connection: () => connection, ticks: () => clock.now, hold: (is) => held.push(is) },
  );
  const chunks = (): readonly LiveChunk[] => {
    const key = joinLive(frames[0]?.part ?? new Uint8Array(0), { readers, statement, pair: reader });
    if (key === undefined) throw new Error("no key");
    return frames.flatMap(({ index, part }) => (index === 0 ? [] : [readLive(key, index, part) ?? fail(index)]));
  };
  const disconnect = () => {
    connection = undefined;
    live.unwatch();
  };
  return { live, line, frames, held, clock, chunks, disconnect };
}

function fail(index: number): never {
  throw new Error(`frame ${index} does not open`);
}

const bytesOf = (chunks: readonly LiveChunk[]) => chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
const some = (size: number) => new Uint8Array(size).fill(7);

describe("the sender", () => {
  it("sends a first line at once, and gathers what follows closely", async () => {
    const { live, clock, chunks } = scene();
    live.watch();
    live.add("stdout", some(3));
    expect(chunks()).toHaveLength(1);
    for (let n = 0; n < 1000; n++) live.add("stdout", some(1));
    expect(chunks()).toHaveLength(1);
    clock.now += 50;
    await sleep(60);
    expect(chunks().map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
      [0, 3],
      [3, 1000],
    ]);
  });

  it("sends nothing beyond its credit, and holds the job once a frame waits", async () => {
    const { live, clock, chunks, held } = scene();
    live.watch();
    live.add("stdout", some(200_000));
    expect(bytesOf(chunks())).toBeLessThan(LIVE_FIRST_BYTES);
    expect(held).toEqual([true]);
    live.credit(300_000);
    clock.now += 50;
    await sleep(60);
    expect([bytesOf(chunks()), held]).toEqual([200_000, [true, false]]);
  });

  it("waits for a line that is full", async () => {
    const { live, line, clock, chunks, held } = scene();
    live.watch();
    live.credit(10_000_000);
    line.backlog = 1_000_000;
    live.add("stdout", some(100_000));
    expect([chunks(), held]).toEqual([[], [true]]);
    line.backlog = 0;
    await sleep(60);
    clock.now += 50;
    await sleep(60);
    expect([bytesOf(chunks()), held]).toEqual([100_000, [true, false]]);
  });

  it("leaves out what nobody took in time, and its place shows how much", async () => {
    const { live, clock, chunks, held } = scene();
    live.watch();
    live.add("stdout", some(LIVE_BYTES * 3));
    const before = bytesOf(chunks());
    clock.now += 5001;
    live.add("stdout", some(1));
    expect(held).toEqual([true, false]);
    live.add("stdout", some(LIVE_BYTES * 10));
    expect(held).toEqual([true, false]);
    live.credit(1_000_000);
    live.add("stdout", some(10));
    clock.now += 50;
    await sleep(60);
    live.end();
    const [, second] = chunks();
    expect([before, second?.offset]).toEqual([LIVE_FIRST_BYTES - 25, LIVE_BYTES * 13 + 1]);
  });

  it("holds a job for half of its time limit at most, however often a little is taken", () => {
    const { live, clock, held } = scene({ timeMs: 20_000 });
    live.watch();
    let heldMs = 0;
    for (let n = 1; n <= 200; n++) {
      live.add("stdout", some(LIVE_BYTES * 3));
      const isHeld = held.at(-1) === true;
      clock.now += 1000;
      heldMs += isHeld ? 1000 : 0;
      live.credit(LIVE_FIRST_BYTES + n * 70_000);
    }
    expect([heldMs >= 9_000, heldMs <= 11_000]).toEqual([true, true]);
    live.end();
  });

  it("keeps no more than two megabytes of a job that goes on writing although it is held", () => {
    const { live, chunks } = scene();
    live.watch();
    for (let n = 0; n < 100; n++) live.add("stdout", some(LIVE_BYTES));
    live.credit(100_000_000);
    live.end();
    expect(bytesOf(chunks())).toBeLessThan(2 * 1024 * 1024 + LIVE_FIRST_BYTES);
  });

  it("holds nobody where nobody watches, or no longer", () => {
    const { live, held, disconnect } = scene();
    live.add("stdout", some(1_000_000));
    expect(held).toEqual([]);
    live.watch();
    live.add("stdout", some(1_000_000));
    expect(held).toEqual([true]);
    disconnect();
    live.add("stdout", some(1_000_000));
    expect(held).toEqual([true, false]);
  });

  it("goes on where it is for whoever watches again", () => {
    const { live, frames, chunks } = scene();
    live.watch();
    live.add("stdout", some(5));
    live.unwatch();
    live.add("stdout", some(7));
    live.watch();
    live.add("stdout", some(1));
    live.end();
    expect(frames.map(({ index }) => index)).toEqual([0, 1, 0, 2]);
    expect(chunks().map(({ offset }) => offset)).toEqual([0, 12]);
  });

  it("sums up at the end what it sent, each frame once", () => {
    const { live, frames } = scene();
    live.watch();
    live.add("stdout", some(5));
    live.unwatch();
    live.watch();
    live.add("stderr", some(7));
    const [wraps = new Uint8Array(0)] = frames.map(({ part }) => part);
    const summary = live.end();
    const sealed = frames.filter(({ index }) => index > 0).map(({ part }) => part);
    expect(summary).toEqual({ frames: 2, wraps: digest(wraps), sha256: digest(concat(wraps, ...sealed)) });
  });

  it("sums up nothing where nobody watched", () => {
    const { live } = scene();
    live.add("stdout", some(5));
    expect(live.end()).toBeUndefined();
  });
});
