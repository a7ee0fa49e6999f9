// The documents say what is so: the page of codes is the tables', and each command, link and file that they name is there.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { withLines } from "../../scripts/docs/deploy-page.ts";
import { refusalsPage } from "../../scripts/docs/refusals-page.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const documents = globSync(["*.md", "docs/*.md", "installer/*.md", "packaging/**/*.md", "protocol/*.md"], {
  cwd: ROOT,
});
const TOP_FOLDERS = "agent|bin|docs|installer|operator|packaging|protocol|relay|scripts|test";

test("docs/refusals.md is what npm run docs makes", () => {
  const sources = { refusals: read("protocol/refusal.ts"), operatorFaults: read("operator/fault.ts") };
  expect(read("docs/refusals.md")).toBe(refusalsPage(sources));
});

test("docs/deploy.md has the lines that keybound package prints", () => {
  expect(read("docs/deploy.md")).toBe(withLines(read("docs/deploy.md")));
  expect(read("docs/deploy.md")).toContain("dpkg -i ./keybound-agent_");
});

describe.each(documents)("%s", (path) => {
  const text = read(path);

  test("names npm scripts that are there", () => {
    const named = [...text.matchAll(/\bnpm run (?:-s |--silent )?([a-z][a-z:-]*)/g)].map(([, name]) => String(name));
    expect(named.filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
  });

  test("links to files and headings that are there", () => {
    const links = [...text.matchAll(/\]\((?!https:)([^)\s]+)\)/g)].map(([, link]) => String(link));
    expect(links.filter((link) => !isThere({ link, from: path }))).toEqual([]);
  });

  test("names files that are there", () => {
    const named = [...text.matchAll(new RegExp(`\`((?:${TOP_FOLDERS})/[\\w./-]+)\``, "g"))].map(([, file]) =>
      String(file),
    );
    expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  test("quotes tests that are there", () => {
    const quoted = [...text.matchAll(/`(test\/[\w./-]+\.ts)`: ("[^"]+"(?:, "[^"]+")*)/g)].flatMap(([, file, titles]) =>
      [...String(titles).matchAll(/"([^"]+)"/g)].map(([, title]) => ({ file: String(file), title: String(title) })),
    );
    expect(quoted.filter(({ file, title }) => !read(file).includes(title))).toEqual([]);
  });
});

function isThere({ link, from }: { readonly link: string; readonly from: string }): boolean {
  const [file = "", heading] = link.split("#");
  const target = file === "" ? from : normalize(join(dirname(from), file));
  if (!existsSync(join(ROOT, target))) return false;
  return heading === undefined || headings(read(target)).includes(heading);
}

/** The anchors that a repository's host makes of headings. */
function headings(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    String(title)
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}
