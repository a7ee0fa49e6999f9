// What is said between the agent and its Windows launcher, as bytes.
import { array, assert, nat, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { type LauncherSetup, launcherSetup, ReportReader, wordOf } from "../../agent/run/windows-launcher.ts";

const SETUP: LauncherSetup = {
  program: "C:\\p.exe",
  line: '"C:\\p.exe" ñ',
  folder: "C:\\",
  env: { A: "1", TEMP: "T", TMP: "T" },
};

/** As the launcher reads it: the length, then names and values that NUL ends. */
function fieldsOf(bytes: Uint8Array): readonly string[] {
  const buffer = Buffer.from(bytes);
  expect(buffer.readUInt32LE(0)).toBe(buffer.length - 4);
  const strings = buffer.subarray(4).toString("utf16le").split("\0");
  expect(strings.pop()).toBe("");
  return strings.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${strings[at + 1]}`] : []));
}

describe("a setup", () => {
  it("is program, line, folder and environment, and no limit that was not asked for", () => {
    expect(fieldsOf(launcherSetup(SETUP))).toEqual([
      "program: C:\\p.exe",
      'line: "C:\\p.exe" ñ',
      "folder: C:\\",
      "env: A=1",
      "env: TEMP=T",
      "env: TMP=T",
    ]);
  });

  it("has the limits that were asked for", () => {
    const limits = { processes: 5, memoryBytes: 2 ** 35, priority: "low" } as const;
    expect(fieldsOf(launcherSetup({ ...SETUP, ...limits })).slice(-3)).toEqual([
      "processes: 5",
      "memory: 34359738368",
      "priority: low",
    ]);
  });

  it("opens the job's folder to a session's user alone", () => {
    const place = { folder: "C:\\jobs\\x", begun: "C:\\jobs\\x\\begun" };
    expect(fieldsOf(launcherSetup({ ...SETUP, place }))).not.toContain("source: C:\\jobs\\x");
    const fields = fieldsOf(launcherSetup({ ...SETUP, place, who: "console" }));
    expect(fields.slice(-3)).toEqual(["who: console", "source: C:\\jobs\\x", "begun: C:\\jobs\\x\\begun"]);
  });

  it("leaves a session's user that user's own temporary folder", () => {
    const fields = fieldsOf(launcherSetup({ ...SETUP, who: "sessions" }));
    expect([fields.includes("env: TEMP=T"), fields.includes("take: TEMP")]).toEqual([false, true]);
  });
});

describe("reports", () => {
  it("are read however they come in pieces", () => {
    const text = "started 1\ndeaf\nexited 3221225786\nempty\n";
    assert(
      property(array(nat(text.length)), (cuts) => {
        const reader = new ReportReader();
        const at = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, index) => Buffer.from(text.slice(at[index], end)));
        expect(pieces.flatMap((piece) => reader.take(piece))).toEqual([
          { type: "started", sessions: 1 },
          { type: "deaf" },
          { type: "exited", code: 3221225786 },
          { type: "empty" },
        ]);
      }),
    );
  });

  it.each(["exited\n", "exited -1\n", "began 1\n", "x".repeat(65)])("%j is none", (text) => {
    expect(() => new ReportReader().take(Buffer.from(text))).toThrow("internal error");
  });
});

it("an error has the word of other platforms where there is one, and else its number", () => {
  expect([wordOf(2), wordOf(5), wordOf(12345)]).toEqual(["ENOENT", "EACCES", "WINDOWS_12345"]);
});
