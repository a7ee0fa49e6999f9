// What people see: folded names, equal results together, escaped text, quoting for shells, tables, times.
import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { execFileSync } from "node:child_process";
import { utf8 } from "../../protocol/bytes.ts";
import { Fault } from "../../operator/fault.ts";
import { freeName } from "../../operator/devices/device-name.ts";
import { neutral, plain } from "../../operator/present/escape.ts";
import { foldNames } from "../../operator/present/fold.ts";
import { groupResults } from "../../operator/present/group.ts";
import { frame } from "../../operator/present/live-view.ts";
import { restOf } from "../../operator/present/rest.ts";
import { table } from "../../operator/present/table.ts";
import { ago, date } from "../../operator/present/time.ts";
import { duration, size } from "../../operator/quantity.ts";
import { quoteFor } from "../../operator/quote.ts";
import type { DeviceResult, Target } from "../../operator/results/watch-jobs.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

describe("names", () => {
  test.each([
    [["web1", "web2", "web3", "web7"], "web[1-3,7]"],
    [["web10", "web9", "db"], "db, web[9-10]"],
    [["web09", "web10", "web8"], "web[8,09-10]"],
    [["a1b", "a2b", "a2c"], "a[1-2]b, a2c"],
    [["web1"], "web1"],
    [[], ""],
  ])("%j fold to %s", (names, folded) => {
    expect(foldNames(names)).toBe(folded);
  });

  test("any names fold into something that holds as many", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[ab]{0,2}[0-9]{0,3}[xy]?$/).filter((name) => name !== "")),
        (names) => {
          expect(unfolded(foldNames(names))).toEqual(names.toSorted());
        },
      ),
    );
  });

  test("a device's name is made from its host's, legal and free", () => {
    expect(freeName("web1.example", new Set())).toBe("web1");
    expect(freeName("Büro PC.local", new Set())).toBe("B-ro-PC");
    expect(freeName("web1.example", new Set(["web1", "web1-2"]))).toBe("web1-3");
    expect(freeName("...", new Set())).toBe("device");
  });

  test("any host gives a legal name that is free", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 253 }), fc.array(fc.string()), (host, others) => {
        const taken = new Set([...others, freeName(host, new Set())].map((name) => name.toLowerCase()));
        const name = freeName(host, taken);
        expect([NAME.test(name), taken.has(name.toLowerCase())]).toEqual([true, false]);
      }),
    );
  });
});

/** The names that a folded text stands for, sorted. */
function unfolded(folded: string): readonly string[] {
  const parts = folded === "" ? [] : folded.split(", ");
  return parts
    .flatMap((part) => {
      const [, before = "", ranges = "", after = ""] = /^(.*)\[(.*)\](.*)$/.exec(part) ?? [];
      if (!part.includes("[")) return [part];
      return ranges.split(",").flatMap((range) => numbers(range).map((number) => before + number + after));
    })
    .toSorted();
}

function numbers(range: string): readonly string[] {
  const [first = "", last = first] = range.split("-");
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) =>
    String(Number(first) + at).padStart(first.length, "0"),
  );
}

function target(name: string): Target {
  return { job: "j", device: { device: name, sig: "", enc: "", name, class: "standard", request: "", since: 0 } };
}

const EXPIRED: DeviceResult = { type: "expired" };
const REFUSED: DeviceResult = { type: "refused-unsigned", note: "job-expired" };

describe("results", () => {
  test("that are equal stand together, the largest group first", () => {
    const results = ["web1", "web2", "web3"].map((name) => ({
      target: target(name),
      result: name === "web1" ? REFUSED : EXPIRED,
    }));
    expect(groupResults(results).map(({ names, count }) => [names, count])).toEqual([
      ["web[2-3]", 2],
      ["web1", 1],
    ]);
  });

  test("by a device's unsigned word say so, and a word that is no code is escaped", () => {
    const [known, odd] = [REFUSED, { type: "refused-unsigned", note: "\u001b[2J" } as const].map(
      (result) => groupResults([{ target: target("a"), result }])[0],
    );
    expect(known?.words).toBe("refused job-expired: the job has expired (by the device's word, not signed)");
    expect(odd?.words).toBe("refused \\u{1b}[2J (by the device's word, not signed)");
  });

  test("in a live table put devices first that are waited for, and count those that failed", () => {
    const states = new Map([
      ["a", "expired"],
      ["b", "running"],
    ]);
    expect(frame(states, new Map([["a", EXPIRED]])).split("\n")).toEqual([
      ". b  running",
      "! a  expired",
      "1 of 2 answered, 1 not as asked",
    ]);
  });

  test("of more devices than fit are counted", () => {
    const states = new Map(Array.from({ length: 25 }, (_, at) => [`d${at}`, "waiting"]));
    expect(frame(states, new Map()).split("\n").slice(-2)).toEqual(["  and 5 more", "0 of 25 answered"]);
  });
});

describe("the rest of an output", () => {
  const kept = { stream: "stdout", size: 10, head: utf8("abc"), tail: utf8("hij") } as const;

  test.each([
    [0, "abc", 4, "hij"],
    [2, "c", 4, "hij"],
    [5, "", 2, "hij"],
    [8, "", 0, "ij"],
    [10, "", 0, ""],
  ])("after %d bytes", (shown, before, left, after) => {
    const rest = restOf(kept, shown);
    expect([text(rest.before), rest.left, text(rest.after)]).toEqual([before, left, after]);
  });
});

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

describe("text of strangers", () => {
  test("cannot steer a terminal", () => {
    expect(plain("a\u001b[31mb\n\u202ec")).toBe("a\\u{1b}[31mb\\u{a}\\u{202e}c");
  });

  test("keeps its lines and tabs where it is output", () => {
    expect(neutral("a\tb\r\nc\u001b]0;x\u0007\rd")).toBe("a\tb\nc\\u{1b}]0;x\\u{7}\\u{d}d");
  });
});

describe("words for a shell", () => {
  test("come out of sh as they went in", () => {
    const word = fc
      .string({ unit: "binary", maxLength: 20 })
      .filter((value) => !value.includes("\0") && value.isWellFormed());
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
        const line = quoteFor("sh", ["printf", "%s\\0", ...words]);
        expect(execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" })).toBe(
          words.map((one) => `${one}\0`).join(""),
        );
      }),
      { numRuns: 50 },
    );
  });

  test("are quoted for PowerShell with its own quotes, curly ones too", () => {
    expect(quoteFor("pwsh", ["echo", "it's", "a’b"])).toBe("& 'echo' 'it''s' 'a’’b'");
  });

  test("are refused for cmd where its quoting is not sure", () => {
    expect(quoteFor("cmd", ["dir", "C:\\Program Files"])).toBe('dir "C:\\Program Files"');
    expect(() => quoteFor("cmd", ["echo", "%PATH%"])).toThrow(Fault);
  });
});

describe("tables and times", () => {
  test("a table is lined up, and no line ends in spaces", async () => {
    expect(
      await table(
        ["NAME", "ID"],
        [
          ["web1", "1"],
          ["a", ""],
        ],
      ),
    ).toBe("NAME  ID\nweb1  1\na");
  });

  test.each([
    [500, "just now"],
    [90_000, "1 min ago"],
    [7_200_000, "2 h ago"],
    [260_000_000, "3 d ago"],
  ])("%d ms are %s", (ms, words) => {
    expect(ago(1_000_000_000_000 - ms, 1_000_000_000_000)).toBe(words);
  });

  test("a date is whole and in UTC", () => {
    expect(date(Date.UTC(2026, 0, 5, 9))).toBe("2026-01-05 09:00:00Z");
  });
});

describe("quantities", () => {
  test.each([
    ["500ms", 500],
    ["90s", 90_000],
    ["10m", 600_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
  ])("%s", (typed, ms) => {
    expect(duration(typed)).toBe(ms);
  });

  test.each([
    ["64K", 65_536],
    ["1M", 1_048_576],
    ["100", 100],
    ["2MiB", 2_097_152],
  ])("%s", (typed, bytes) => {
    expect(size(typed)).toBe(bytes);
  });

  test.each(["", "10", "-5s", "1.5h", "5 m", "0s"])("%s is no duration", (typed) => {
    expect(() => duration(typed)).toThrow("a number and ms, s, m, h or d");
  });
});
