// Credit for live output under any sequence of frames, takings and pauses; and what a relay makes of it on the wire.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIVE_FIRST_BYTES } from "../../protocol/limits.ts";
import { LiveFlow } from "../../relay/live-flow.ts";
import { LIVE_LAG_MS } from "../../relay/limits.ts";
import { device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { Tenant } from "../cast/tenant.ts";
import { deviceAt, operatorAt, type WireClient } from "../cast/wire-client.ts";
import { House } from "./house.ts";
import { submission } from "./moves.ts";

const WINDOW = 100_000;

/** A device that keeps to its credit, and watchers who each have this much on their way at most. */
class Model {
  readonly flow = new LiveFlow<string>();
  granted = LIVE_FIRST_BYTES;
  received = 0;
  now = 0;
  readonly sent = { a: 0, b: 0 };
  readonly taken = { a: 0, b: 0 };
  readonly upTo = { a: LIVE_FIRST_BYTES, b: LIVE_FIRST_BYTES };
  readonly grants: number[] = [];

  constructor() {
    this.flow.begin(["a", "b"]);
  }

  frame(bytes: number): void {
    const size = Math.min(bytes, this.granted - this.received);
    if (size === 0) return;
    this.received += size;
    for (const watcher of this.flow.receive(size, ["a", "b"], this.now)) {
      if (watcher === "a" || watcher === "b") this.sent[watcher] += size;
    }
    this.#grant();
  }

  take(watcher: "a" | "b"): void {
    this.taken[watcher] = this.sent[watcher];
    this.upTo[watcher] = this.taken[watcher] + WINDOW;
    this.flow.credit(watcher, this.upTo[watcher]);
    this.#grant();
  }

  wait(ms: number): void {
    this.now += ms;
    this.#grant();
  }

  #grant(): void {
    const upTo = this.flow.grant(this.now);
    if (upTo === undefined) return;
    this.grants.push(upTo);
    this.granted = upTo;
  }
}

const act = fc.oneof(
  fc.record({ type: fc.constant("frame" as const), bytes: fc.integer({ min: 1, max: 70_000 }) }),
  fc.record({ type: fc.constant("take" as const), who: fc.constantFrom("a" as const, "b" as const) }),
  fc.record({ type: fc.constant("wait" as const), ms: fc.nat({ max: 1500 }) }),
);

describe("a flow", () => {
  test("gives the device no credit that a watcher who keeps up has no room for, and loses nothing of theirs", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
        const model = new Model();
        for (const one of acts) {
          if (one.type === "frame") model.frame(one.bytes);
          else if (one.type === "take") model.take(one.who);
          // Nobody is ever slow for so long that the others go on.
          else model.wait(one.ms / 1500);
        }
        expect([model.sent.a, model.sent.b]).toEqual([model.received, model.received]);
        expect(model.sent.a).toBeLessThanOrEqual(model.upTo.a);
        expect(model.granted).toBeLessThanOrEqual(Math.min(model.upTo.a, model.upTo.b));
      }),
    );
  });

  test("never sends a watcher more than they take, nor takes credit back, however slow they are", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
        const model = new Model();
        for (const one of acts) {
          if (one.type === "frame") model.frame(one.bytes);
          else if (one.type === "take") model.take(one.who);
          else model.wait(one.ms);
          expect(model.sent.a).toBeLessThanOrEqual(model.upTo.a);
          expect(model.sent.b).toBeLessThanOrEqual(model.upTo.b);
        }
        expect(model.grants).toEqual(model.grants.toSorted((x, y) => x - y));
      }),
    );
  });

  test("waits for a watcher who takes nothing, and after a while for the others only", () => {
    const model = new Model();
    model.take("a");
    model.take("b");
    while (model.granted > model.received) model.frame(10_000);
    model.take("a");
    expect(model.granted).toBe(model.received);
    model.wait(LIVE_LAG_MS);
    expect(model.granted - model.received).toBeGreaterThan(50_000);
    const before = model.sent.b;
    model.frame(10_000);
    expect([model.sent.a, model.sent.b]).toEqual([model.received, before]);
    model.take("b");
    model.frame(5_000);
    expect(model.sent.b).toBe(before + 5_000);
  });

  test("is held up by nobody who came late and has not said what they take", () => {
    const flow = new LiveFlow<string>();
    flow.credit("a", WINDOW);
    flow.join("late");
    expect(flow.grant(0)).toBe(WINDOW);
    expect(flow.receive(1000, ["a", "late"], 0)).toEqual(["a"]);
    flow.credit("late", WINDOW);
    expect(flow.receive(1000, ["a", "late"], 0)).toEqual(["a", "late"]);
  });

  test("begins anew with the device's count and goes on with that of its watchers", () => {
    const flow = new LiveFlow<string>();
    flow.credit("a", WINDOW);
    flow.grant(0);
    flow.receive(60_000, ["a"], 0);
    flow.begin(["a"]);
    expect(flow.grant(0)).toBe(40_000);
  });
});

describe("a relay", () => {
  const web = device("web1");

  async function scene() {
    const tenant = new Tenant();
    const house = await House.withTenant(tenant);
    const target = await deviceAt(house.url, tenant, web);
    const job = jobFor({ tenant, devices: [web] });
    const submit = (client: WireClient, over = {}) => {
      const { header, parts } = submission(job, over);
      return client.done(header, parts);
    };
    return { house, tenant, target, job: job.job, submit, operator: await operatorAt(house.url, tenant) };
  }

  test("tells the device what its watcher takes, and that nobody watches any more", async () => {
    const { house, target, job, submit, operator } = await scene();
    await using _ = house;
    await submit(operator);
    target.send({ type: "live", job, index: 0 }, [new Uint8Array(80)]);
    await operator.next("live-news");
    operator.send({ type: "take-live", credits: [{ job, device: web.id, upTo: 500_000 }] });
    expect((await target.next("live-credit")).header).toEqual({ type: "live-credit", job, upTo: 500_000 });
    await operator.close();
    expect((await target.next("unwatched")).header["job"]).toBe(job);
  });

  test("sends no live output to who wants none, and asks no device for it", async () => {
    const { house, target, job, submit, operator } = await scene();
    await using _ = house;
    await submit(operator, { quiet: true });
    expect((await target.next("job")).header["watched"]).toBe(false);
    target.send({ type: "live", job, index: 0 }, [new Uint8Array(80)]);
    target.send({ type: "taken", job });
    await operator.next("progress");
    await operator.request({ type: "list-jobs" });
    expect(operator.waiting("live-news")).toEqual([]);
  });

  test("asks a device that comes back to go on for those who still watch", async () => {
    const { house, tenant, target, job, submit, operator } = await scene();
    await using _ = house;
    await submit(operator);
    target.send({ type: "taken", job });
    target.send({ type: "live", job, index: 0 }, [new Uint8Array(80)]);
    await operator.next("live-news");
    await target.close();
    const back = await deviceAt(house.url, tenant, web);
    expect((await back.next("watched")).header["job"]).toBe(job);
  });

  test("passes on nothing that a device sends beyond its credit", async () => {
    const { house, target, job, submit, operator } = await scene();
    await using _ = house;
    await submit(operator);
    target.send({ type: "live", job, index: 0 }, [new Uint8Array(80)]);
    for (let index = 1; index <= 40; index++) target.send({ type: "live", job, index }, [new Uint8Array(1000)]);
    await target.request({ type: "read-log", log: "key", from: 0 });
    await operator.request({ type: "list-jobs" });
    expect(operator.waiting("live-news")).toHaveLength(1 + Math.floor(LIVE_FIRST_BYTES / 1000));
  });
});
