// SPEC.md and the code say the same: its sections, its limits, and a paragraph with a vector or a test for each refusal.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as limits from "../../protocol/limits.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const spec = read("protocol/SPEC.md");

describe("sections", () => {
  const sections = new Set([...spec.matchAll(/^#{2,3} ([0-9]+(?:\.[0-9]+)?)[. ]/gm)].map(([, number]) => number));
  const sources = ["protocol", "agent", "operator", "relay", "installer"].flatMap((folder) =>
    globSync(`${folder}/**/*.ts`, { cwd: ROOT }),
  );

  test.each(sources.filter((path) => read(path).includes("SPEC ")))("that %s cites are there", (path) => {
    const cited = [...read(path).matchAll(/SPEC ([0-9]+(?:\.[0-9]+)?)/g)].map(([, number]) => number);
    expect(cited.filter((number) => !sections.has(number))).toEqual([]);
  });
});

test("the table of limits is the file of limits", () => {
  const rows = [...spec.matchAll(/^\| `([A-Z_]+)` \| ([0-9,]+) \| .+ \|$/gm)];
  const table = rows.map(([, name, value]) => [name ?? "", Number(value?.replaceAll(",", ""))] as const);
  expect(Object.fromEntries(table)).toEqual({ ...limits });
});
