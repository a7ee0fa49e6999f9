// Every refusal code has its paragraph in SPEC.md, its row in docs/refusals.md, and its vector or the program's test that provokes it.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { REFUSALS } from "../../protocol/refusal.ts";
import { list, textOf } from "./json-file.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const codes = Object.keys(REFUSALS).toSorted();

/** Codes that a program gives and no function of the protocol, each with the test that provokes it. */
const BY_PROGRAMS: Readonly<Record<string, string>> = {
  "disk-short": "test/agent/free-space.test.ts",
  "file-absent": "test/agent/job-files.test.ts",
  "file-digest": "test/agent/job-files.test.ts",
  "file-place": "test/agent/job-files.test.ts",
  "ledger-full": "test/protocol/program-refusals.test.ts",
  "login-unknown": "test/relay/login.test.ts",
  "platform-lacks": "test/protocol/program-refusals.test.ts",
  "shell-absent": "test/agent/run-job.test.ts",
  "update-archive": "test/agent/unpack-update.test.ts",
  "update-place": "test/agent/update.test.ts",
  "user-absent": "test/agent/run-job.test.ts",
  "user-denied": "test/protocol/program-refusals.test.ts",
};

test("each code has a paragraph in the specification, and nothing else has", () => {
  const paragraphs = [...read("protocol/SPEC.md").matchAll(/^\*\*`([a-z0-9-]+)`\*\* .{20,}$/gm)];
  expect(paragraphs.map(([, code]) => String(code)).toSorted()).toEqual(codes);
});

test("each code has a row in the documentation", () => {
  const rows = new Set(
    [...read("docs/refusals.md").matchAll(/^\| `([a-z0-9-]+)` \| .+ \|$/gm)].map(([, code]) => code),
  );
  expect(codes.filter((code) => !rows.has(code))).toEqual([]);
});

test("each code has a vector, but for those that programs give", () => {
  const files = globSync("test/vectors/refusals/*.json", { cwd: ROOT });
  const vectors = new Set(files.flatMap((path) => list(JSON.parse(read(path))).map((one) => textOf(one, "code"))));
  expect(codes.filter((code) => !vectors.has(code))).toEqual(Object.keys(BY_PROGRAMS).toSorted());
});

describe("a code that a program gives is provoked by its tests", () => {
  test.each(Object.entries(BY_PROGRAMS))("%s by %s", (code, path) => {
    expect(read(path)).toContain(code);
  });
});
