// Following a job by what a relay pushes, in whatever order and however often; and holding a stream against what was signed.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { utf8 } from "../../protocol/bytes.ts";
import { openLive, sealLive } from "../../protocol/output.ts";
import { AT_START, type Followed, step } from "../../operator/follow-job.ts";
import { LiveStream } from "../../operator/live-stream.ts";
import type { Message } from "../../operator/relay-client.ts";
import { device } from "../cast/device.ts";
import { digestOf, idOf, seeded } from "../cast/random.ts";
import { raw } from "../cast/person.ts";

const job = idOf("job");
const web = digestOf("web");
const part = utf8("part");

function progress(state: "queued" | "sent" | "taken" | "answered" | "expired", note?: string): Message {
  return { header: { type: "progress", job, device: web, state, ...(note === undefined ? {} : { note }) }, parts: [] };
}

function live(index: number): Message {
  return { header: { type: "live-news", job, device: web, index }, parts: [part] };
}

const receipt: Message = { header: { type: "receipt-news", job, device: web }, parts: [part] };

function after(...messages: readonly Message[]): { followed: Followed; effects: readonly string[] } {
  let followed = AT_START;
  const effects: string[] = [];
  for (const message of messages) {
    const stepped = step(followed, message);
    followed = stepped.after;
    if (stepped.effect !== undefined) effects.push(stepped.effect.type);
  }
  return { followed, effects };
}

describe("a followed job", () => {
  test("is settled by a receipt, once", () => {
    const { followed, effects } = after(progress("sent"), progress("taken"), receipt, receipt);
    expect([followed.settled, effects]).toEqual(["receipt", ["receipt"]]);
  });

  test("that was taken with a note is refused by the device's word", () => {
    expect(after(progress("taken", "signer-unknown")).followed).toMatchObject({
      settled: "refused",
      note: "signer-unknown",
    });
  });

  test("that was taken without a note is waited for", () => {
    expect(after(progress("taken")).followed.settled).toBe("no");
  });

  test("is settled by a receipt although the relay said that it expired", () => {
    expect(after(progress("expired"), receipt, progress("expired")).followed.settled).toBe("receipt");
  });

  test("streams while nothing is missing", () => {
    expect(after(live(0), live(1), live(2)).effects).toEqual(["live-opened", "live", "live"]);
  });

  test("streams no more after a gap", () => {
    expect(after(live(0), live(1), live(3), live(4), live(2)).effects).toEqual(["live-opened", "live", "live-broken"]);
  });

  test("streams nothing to who came too late for its beginning", () => {
    expect(after(live(5), live(6)).effects).toEqual(["live-broken"]);
  });

  test("opens one stream and takes one receipt, whatever is pushed", () => {
    const message = fc.oneof(
      fc.constantFrom(progress("queued"), progress("taken", "x"), progress("expired"), progress("answered"), receipt),
      fc.nat({ max: 3 }).map(live),
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), (messages) => {
        const { effects } = after(...messages);
        expect(effects.filter((effect) => effect === "receipt").length).toBeLessThanOrEqual(1);
        expect(effects.filter((effect) => effect === "live-opened").length).toBeLessThanOrEqual(1);
        expect(effects.lastIndexOf("live") < 0 || effects.includes("live-opened")).toBe(true);
      }),
    );
  });
});

/** What a device keeps of this text. */
function kept(text: string, limit = 1024) {
  const bytes = utf8(text);
  const tailAt = Math.max(limit, bytes.length - limit);
  return [
    { stream: "stdout", size: bytes.length, head: bytes.subarray(0, limit), tail: bytes.subarray(tailAt) },
  ] as const;
}

describe("a stream", () => {
  const reader = device("reader").sealing;
  const statement = digestOf("statement");
  const readers = [raw(reader)];
  const contentKey = seeded("content")(32);

  function streamed(texts: readonly string[], outputBytes = 1024): LiveStream {
    const stream = new LiveStream({ readers, statement, pair: reader, outputBytes });
    stream.open(openLive(contentKey, { readers, statement, random: seeded("wraps") }));
    for (const [at, text] of texts.entries()) {
      stream.read(at + 1, sealLive(contentKey, at + 1, { type: "output", stream: "stdout", bytes: utf8(text) }));
    }
    return stream;
  }

  test("agrees with an output that it is the beginning of", () => {
    expect(streamed(["ab", "cd"]).agreesWith(kept("abcdef"))).toBe(true);
  });

  test("agrees with no output that is shorter, or other at its beginning or at its end", () => {
    expect(streamed(["abcdef"]).agreesWith(kept("abc"))).toBe(false);
    expect(streamed(["abcdef"]).agreesWith(kept("xbcdef"))).toBe(false);
    expect(streamed(["abcd", "efghij", "klm"], 4).agreesWith(kept("abcdefghijklX", 4))).toBe(false);
    expect(streamed(["abc"]).agreesWith([])).toBe(false);
  });

  test("agrees with its own output however it was cut and whatever was kept", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{0,9}$/)), fc.integer({ min: 0, max: 12 }), (texts, limit) => {
        expect(streamed(texts, limit).agreesWith(kept(texts.join(""), limit))).toBe(true);
      }),
    );
  });

  test("opens for nobody who is no reader", () => {
    const stream = new LiveStream({ readers, statement, pair: device("other").sealing, outputBytes: 1 });
    expect(stream.open(openLive(contentKey, { readers, statement, random: seeded("wraps") }))).toBe(false);
  });
});
