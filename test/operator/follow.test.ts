// Following a job by what a relay pushes, in whatever order and however often; and holding a stream against what was signed.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, utf8 } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { openLive, sealLive } from "../../protocol/output.ts";
import { AT_START, type Followed, step } from "../../operator/results/follow-job.ts";
import { LiveStream } from "../../operator/results/live-stream.ts";
import type { Message } from "../../operator/connection/relay-client.ts";
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

  test("streams on after a gap, and nothing twice or too late", () => {
    expect(after(live(0), live(1), live(3), live(3), live(2), live(0), live(4)).effects).toEqual([
      "live-opened",
      "live",
      "live",
      "live",
    ]);
  });

  test("streams nothing before its wraps, and from there on to who came late", () => {
    expect(after(live(5), live(0), live(6)).effects).toEqual(["live-opened", "live"]);
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

const exited = { type: "exited", code: 0 } as const;

describe("a stream", () => {
  const reader = device("reader").sealing;
  const statement = digestOf("statement");
  const readers = [raw(reader)];
  const contentKey = seeded("content")(32);
  const wraps = openLive(contentKey, { readers, statement, random: seeded("wraps") });

  type Piece = { readonly text: string; readonly offset: number };

  /** Frames of a device, in order after the wraps. */
  function framesOf(
    texts: readonly string[],
  ): readonly (Piece & { readonly index: number; readonly sealed: Uint8Array })[] {
    let offset = 0;
    return texts.map((text, at) => {
      const index = at + 1;
      const sealed = sealLive(contentKey, index, { stream: "stdout", offset, bytes: utf8(text) });
      offset += text.length;
      return { index, sealed, text, offset: offset - text.length };
    });
  }

  /** What the device signs of them. */
  function signed(texts: readonly string[]) {
    const frames = framesOf(texts);
    const sha256 = digest(concat(wraps, ...frames.map(({ sealed }) => sealed)));
    return { outcome: exited, live: { frames: frames.length, wraps: digest(wraps), sha256 } };
  }

  function opened(outputBytes = 1024): LiveStream {
    const stream = new LiveStream({ readers, statement, pair: reader, outputBytes });
    stream.open(wraps);
    return stream;
  }

  /** A client to which these frames came, but for those that were left out. */
  function streamed(texts: readonly string[], outputBytes = 1024, leftOut: readonly number[] = []): LiveStream {
    const stream = opened(outputBytes);
    for (const { index, sealed } of framesOf(texts)) if (!leftOut.includes(index)) stream.read(index, sealed);
    return stream;
  }

  const agrees = (texts: readonly string[], text: string, limit = 1024) =>
    streamed(texts, limit).agreesWith(signed(texts), kept(text, limit));

  test("agrees with an output that it is the beginning of", () => {
    expect(agrees(["ab", "cd"], "abcdef")).toBe(true);
  });

  test("agrees with no output that is shorter, or other at its beginning or at its end", () => {
    expect(agrees(["abcdef"], "abc")).toBe(false);
    expect(agrees(["abcdef"], "xbcdef")).toBe(false);
    expect(agrees(["abcd", "efghij", "klm"], "abcdefghijklX", 4)).toBe(false);
    expect(streamed(["abc"]).agreesWith(signed(["abc"]), [])).toBe(false);
  });

  test("agrees with its own output however it was cut, whatever was kept and whatever did not come", () => {
    const texts = fc.array(fc.stringMatching(/^[a-z]{0,9}$/));
    const limit = fc.integer({ min: 0, max: 12 });
    fc.assert(
      fc.property(texts, limit, fc.array(fc.nat({ max: 9 })), (all, keep, leftOut) => {
        const stream = streamed(all, keep, leftOut);
        expect(stream.agreesWith(signed(all), kept(all.join(""), keep))).toBe(true);
      }),
    );
  });

  test("says how many bytes did not come before those that do", () => {
    const [, , third] = framesOf(["ab", "cde", "f"]);
    expect(third && streamed(["ab"]).read(3, third.sealed)?.missed).toBe(3);
  });

  test("takes no bytes for a place that it has passed", () => {
    const again = sealLive(contentKey, 2, { stream: "stdout", offset: 0, bytes: utf8("ab") });
    expect(streamed(["ab"]).read(2, again)).toBeUndefined();
  });

  test("that came whole agrees with no other in the middle, where nothing was kept", () => {
    const told = streamed(["abcd", "efgh", "ijkl"], 2);
    const other = signed(["abcd", "eFGh", "ijkl"]);
    expect(told.agreesWith(other, kept("abcdeFGhijkl", 2))).toBe(false);
    expect(told.agreesWith(signed(["abcd", "efgh", "ijkl"]), kept("abcdefghijkl", 2))).toBe(true);
  });

  test("under wraps that the device did not make agrees with nothing, although frames are missing", () => {
    const { outcome, live: whole } = signed(["ab", "cd"]);
    const mine = { outcome, live: { ...whole, wraps: digest(utf8("other wraps")) } };
    expect(streamed(["ab", "cd"], 1024, [1]).agreesWith(mine, kept("abcd"))).toBe(false);
  });

  test("of which the device says nothing agrees only where it forgot: the agent went down", () => {
    expect(streamed(["ab"]).agreesWith({ outcome: exited }, kept("ab"))).toBe(false);
    expect(streamed(["ab"]).agreesWith({ outcome: { type: "lost" } }, [])).toBe(true);
  });

  test("of more frames than the device signed agrees with nothing, although frames are missing", () => {
    expect(streamed(["ab", "cd"]).agreesWith(signed(["ab"]), kept("abcd"))).toBe(false);
    expect(streamed(["ab", "cd", "ef"], 1024, [1]).agreesWith(signed(["ab", "cd"]), kept("abcdef"))).toBe(false);
  });

  test("opens for nobody who is no reader", () => {
    const stream = new LiveStream({ readers, statement, pair: device("other").sealing, outputBytes: 1 });
    expect(stream.open(wraps)).toBe(false);
  });
});
