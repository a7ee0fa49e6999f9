// What the agent's process has on its command line and in its memory before it has anything to do.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { AGENT_ENVIRONMENT, AGENT_FLAGS } from "../../scripts/package/agent-flags.ts";

const ROOT = join(import.meta.dirname, "../..");
const textOf = (path: string) => readFileSync(join(ROOT, path), "utf8");

test.each([
  ["packaging/unix/start", (flags: string) => `/node" ${flags} "$folder/keybound-agent.cjs" "$@"`],
  ["packaging/windows/service/child.c", (flags: string) => `%ls\\" ${flags} \\"%ls\\\\keybound-agent.cjs\\"`],
])("%s starts Node with the agent's flags", (path, line) => {
  expect(textOf(path)).toContain(line(AGENT_FLAGS.join(" ")));
});

test("the unit sets the agent's environment, and nothing else", () => {
  const set = textOf("packaging/systemd/keybound-agent.service").match(/^Environment=.*$/gm);
  expect(set).toEqual(Object.entries(AGENT_ENVIRONMENT).map(([name, value]) => `Environment=${name}=${value}`));
});

test("the daemon loads neither point arithmetic nor what other commands are made of", async () => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["agent/main.ts"],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "cjs",
    logLevel: "warning",
  });
  const loaded = new Set<string>();
  const load = (path: string): void => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { path: next, kind } of metafile.inputs[path]?.imports ?? []) if (kind !== "dynamic-import") load(next);
  };
  for (const first of ["agent/main.ts", "agent/daemon.ts", "agent/service/log.ts"]) load(first);
  expect(loaded).toContain("agent/tenure.ts");
  const late = [...loaded].filter((path) =>
    /@noble\/|agent\/(doctor|commands|bind)\b|^(node:)?readline|systeminformation/.test(path),
  );
  expect(late).toEqual([]);
});
