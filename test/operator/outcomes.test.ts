// Every way a job can end is told from every other, for people and for programs.
import { describe, expect, test } from "vitest";
import { NO_EXIT_CODE, exitCodeOf } from "../../operator/results/passed-exit-code.ts";
import { endingWords } from "../../operator/present/outcome-words.ts";
import { Fault } from "../../operator/fault.ts";
import { AT_START } from "../../operator/results/follow-job.ts";
import { countResults, countWords } from "../../operator/present/result-counts.ts";
import type { Ended } from "../../operator/present/run-view.ts";
import type { DeviceResult } from "../../operator/results/watch-jobs.ts";
import { Outcome } from "../../protocol/outcome.ts";
import type { Receipt } from "../../protocol/receipt.ts";

const ENDINGS: readonly (readonly [outcome: Outcome, words: string])[] = [
  [{ type: "exited", code: 0 }, "exited 0"],
  [{ type: "exited", code: 3010 }, "exited 3010"],
  [{ type: "exited", code: 0xc0000005 }, "exited 3221225477 (0xC0000005)"],
  [{ type: "signalled", signal: "SIGSEGV" }, "ended by SIGSEGV"],
  [{ type: "timed-out", afterMs: 3_600_000 }, "timed out after 1 hour"],
  [{ type: "output-limit", afterBytes: 50_000 }, "ended after 50000 bytes of output"],
  [{ type: "cancelled", by: "agent-stop" }, "cancelled by agent-stop: the agent was stopped"],
  [{ type: "cancelled", by: "owner-change" }, "cancelled by owner-change: the device was given another owner"],
  [{ type: "cancelled", by: "uninstall" }, "cancelled by uninstall: the agent was uninstalled before its turn came"],
  [
    { type: "cancelled", by: "key-revoked" },
    "cancelled by key-revoked: its signer's key was revoked before its turn came",
  ],
  [{ type: "cancelled", by: "operator" }, "cancelled by operator: a signed cancel came"],
  [{ type: "cancel-done", jobs: [{ job: "AAAAAAAAAAAAAAAAAAAAAA", state: "ended" }] }, "was running, and was ended"],
  [{ type: "not-started", error: "ENOENT" }, "not started: ENOENT (its folder or program is not there)"],
  [{ type: "not-started", error: "EUNATCH" }, "not started: EUNATCH"],
  [{ type: "lost" }, "lost: the agent or the device went down while it ran, and nobody knows how far it came"],
  [{ type: "rebooted" }, "rebooted: the device was started anew, as the job had said that it may be"],
  [{ type: "expired" }, "expired: the device had accepted it, and its turn did not come in time"],
  [{ type: "updated", version: "0.2.0" }, "updated to 0.2.0"],
  [
    { type: "rolled-back", version: "0.2.0", running: "0.1.0", tries: 3 },
    "rolled back: 0.2.0 was started 3 times and did not prove itself; 0.1.0 runs again",
  ],
  [{ type: "fetched", size: 12, sha256: "A".repeat(43), modifiedAt: 0 }, "fetched 12 bytes"],
  [{ type: "fetch-failed", error: "ELOOP" }, "not fetched: ELOOP (a link stands at its place or leads to it)"],
  [{ type: "fetch-failed", error: "EIO" }, "not fetched: EIO"],
  [{ type: "missed", from: 1, why: "late" }, "missed: it had not begun when a newer one was due"],
  [{ type: "missed", from: 1, why: "running" }, "missed: the one before was still running"],
  [
    { type: "refused", code: "shell-absent", detail: "zsh\u001b[2J" },
    String.raw`refused shell-absent: the job's interpreter is not on this device (zsh\u{1b}[2J)`,
  ],
];

describe("an ending in words", () => {
  test.each(ENDINGS)("of %j says what happened", (outcome, words) => {
    expect(endingWords(outcome)).toBe(words);
  });

  test("is another for each", () => {
    expect(new Set(ENDINGS.map(([outcome]) => endingWords(outcome))).size).toBe(ENDINGS.length);
  });

  test("is there for every outcome but those that stand in it bare", () => {
    const told = new Set(ENDINGS.map(([{ type }]) => type));
    const known: readonly string[] = Outcome.options.map(({ entries }) => entries.type.literal);
    expect(known.filter((type) => ![...told].some((one) => one === type))).toEqual([]);
  });
});

function answered(outcome: Outcome): DeviceResult {
  const place = { seq: 0, id: "" };
  const receipt: Receipt = {
    tenant: "",
    device: "",
    seq: 1,
    prev: "",
    job: "",
    statement: "",
    outcome,
    finishedAt: 0,
    output: [],
    contained: "yes",
    keyHead: place,
    forks: [],
    journal: { seq: 0, hash: "" },
    bootId: "b",
    time: 0,
    clock: "ok",
    agent: "0",
  };
  return { type: "answered", id: "", receipt, output: [] };
}

function ended(result: DeviceResult | undefined): Ended {
  const device = { device: "", sig: "", enc: "", name: "web1", class: "", request: "", since: 0 };
  return { target: { job: "", device }, followed: AT_START, result };
}

describe("a job of many devices", () => {
  const all = [
    ended(undefined),
    ended(answered({ type: "exited", code: 3 })),
    ended(answered({ type: "exited", code: 0 })),
    ended(answered({ type: "exited", code: 0 })),
    ended({ type: "expired" }),
    ended({ type: "untrusted", error: new Fault("output-differs", "web1") }),
  ];

  test("is counted by what became of it, and an answer that does not verify is no failure of the job", () => {
    expect(countResults(all)).toEqual({ total: 6, succeeded: 2, failed: 2, untrusted: 1, waiting: 1 });
  });

  test("says the largest count first, and who has not answered last", () => {
    const words = countWords(all);
    expect(words).toMatch(/^2 exited 0; 1 exited 3; 1 expired before .*; 1 NOT VERIFIED output-differs.*; 1 waiting$/);
  });
});

describe("--exit-code", () => {
  test.each([0, 1, 2, 127, 254])("passes on %i", (code) => {
    expect(exitCodeOf(answered({ type: "exited", code }))).toBe(code);
  });

  test.each([256, 3010, 0xffffff00])("makes no success of %i, of which a byte would be another code", (code) => {
    expect(exitCodeOf(answered({ type: "exited", code }))).toBe(NO_EXIT_CODE);
  });

  test("is 255 for every other ending, and where there is no proven answer", () => {
    const others = ENDINGS.map(([outcome]) => outcome).filter(({ type }) => type !== "exited");
    const results: readonly (DeviceResult | undefined)[] = [
      ...others.map(answered),
      { type: "refused-unsigned", note: "" },
      { type: "expired" },
      undefined,
    ];
    expect(new Set(results.map(exitCodeOf))).toEqual(new Set([NO_EXIT_CODE]));
  });
});
