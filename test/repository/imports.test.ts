/** Holds who may import whom, and shows for each rule that breaking it would be noticed. */
import { globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { breaches, FOLDERS, RELAY_MAY_IMPORT, RELAY_MUST_NOT_REACH, type Sources } from "./source-rules.ts";

const ROOT = join(import.meta.dirname, "../..");
const DEPENDENCIES = new Set(["@noble/curves", "ws"]);
const SPAWNS = /^import (?!type )[^;]*"node:child_process"/m;
const COMMENT = "/** Says what it is for. */\n";

function repository(): Sources {
  const found = FOLDERS.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT }));
  return new Map(found.map((path) => [path.split(sep).join("/"), readFileSync(join(ROOT, path), "utf8")]));
}

function shippedDependencies(): ReadonlySet<string> {
  return new Set(Object.keys(manifest.dependencies));
}

function breachesOf(path: string, source: string): readonly string[] {
  return breaches(new Map([[path, COMMENT + source]]), DEPENDENCIES);
}

describe("this repository", () => {
  test("keeps every rule", () => {
    expect(breaches(repository(), shippedDependencies())).toEqual([]);
  });

  // On Linux the agent is in the control group of its last job: what it spawns elsewhere than by `outside` would be that job's.
  test("lets few files of the agent spawn", () => {
    const files = [...repository()].flatMap(([path, source]) =>
      path.startsWith("agent/") && SPAWNS.test(source) ? path : [],
    );
    expect(files.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      "agent/inventory/inventory.ts",
      // macOS alone, before anything runs.
      "agent/machine.ts",
      "agent/run/ask-program.ts",
      "agent/run/launch.ts",
      "agent/run/walked-tree.ts",
      "agent/run/windows-containment.ts",
      // Windows alone, before anything runs.
      "agent/state/private-folder.ts",
      // Windows alone, where an update is asked for: the program that would choose it.
      "agent/update/starter.ts",
    ]);
  });

  test("runs its tests on the pinned Node", () => {
    expect(process.version).toBe("v26.10.0");
  });

  test("lets the relay import no file that reads a job", () => {
    expect(RELAY_MAY_IMPORT.filter((path) => RELAY_MUST_NOT_REACH.includes(path))).toEqual([]);
  });
});

describe("a planted breach is noticed", () => {
  const planted: readonly (readonly [what: string, path: string, source: string])[] = [
    ["protocol seeing the agent", "protocol/a.ts", `import { x } from "../agent/x.ts";`],
    ["protocol using Node", "protocol/a.ts", `import { readFileSync } from "node:fs";`],
    ["protocol using a type of Node's", "protocol/a.ts", `import type { Hash } from "node:crypto";`],
    ["protocol asking the process for Node", "protocol/a.ts", `process.getBuiltinModule("node:fs");`],
    ["the noble primitives using Node", "protocol/primitives/noble.ts", `import "node:crypto";`],
    ["a module of Node's without node:", "agent/a.ts", `import { join } from "path";`],
    ["the agent seeing the operator", "agent/a.ts", `import { x } from "../operator/x.ts";`],
    ["the agent seeing the relay's types", "agent/a.ts", `import type { X } from "../relay/x.ts";`],
    ["the agent seeing the relay's types inline", "agent/a.ts", `type X = import("../relay/x.ts").X;`],
    ["the agent passing on the relay", "agent/a.ts", `export * from "../relay/x.ts";`],
    ["the agent passing on a name of the relay", "agent/a.ts", `export { x } from "../relay/x.ts";`],
    ["the agent loading the relay later", "agent/deep/a.ts", `await import("../../relay/x.ts");`],
    ["the agent requiring the relay", "agent/a.ts", `require("../relay/x.ts");`],
    ["the agent choosing primitives", "agent/a.ts", `import { sign } from "#primitives";`],
    ["the operator seeing the agent", "operator/a.ts", `import { x } from "../agent/x.ts";`],
    ["the operator seeing the installer", "operator/a.ts", `import { x } from "../installer/x.ts";`],
    ["the relay seeing the agent", "relay/a.ts", `import { x } from "../agent/x.ts";`],
    ["the relay seeing a job's body", "relay/a.ts", `import { x } from "../protocol/job-body.ts";`],
    ["the relay seeing seals", "relay/a.ts", `import { x } from "../protocol/seal.ts";`],
    ["the relay seeing HPKE", "relay/a.ts", `import { x } from "../protocol/hpke.ts";`],
    ["the relay seeing a file not on its list", "relay/a.ts", `import { x } from "../protocol/another.ts";`],
    ["the installer seeing how jobs run", "installer/a.ts", `import { x } from "../agent/run.ts";`],
    ["packaging seeing the operator", "packaging/a.ts", `import { x } from "../operator/x.ts";`],
    [
      "one file starting another's program",
      "packaging/one-file/keybound-relay.ts",
      `void import("../../operator/main.ts");`,
    ],
    ["a product seeing scripts", "packaging/a.ts", `import { x } from "../scripts/build.ts";`],
    ["a product seeing tests", "agent/a.ts", `import { x } from "../test/x.ts";`],
    ["a product leaving the repository", "agent/a.ts", `import { x } from "../../elsewhere/x.ts";`],
    ["a relative import without .ts", "agent/a.ts", `import { x } from "./x";`],
    ["a relative import of .js", "agent/a.ts", `import { x } from "./x.js";`],
    ["a computed import", "agent/a.ts", "await import(`./${name}.ts`);"],
    ["a package that does not ship", "agent/a.ts", `import { test } from "vitest";`],
    ["a package like one that ships", "agent/a.ts", `import { x } from "@noble/other";`],
    ["the relay having release keys", "relay/a.ts", `import k from "../packaging/release-keys.json";`],
    ["the agent having other data", "agent/a.ts", `import k from "../packaging/other.json";`],
    ["a default export", "scripts/a.ts", "export default 1;"],
    ["a default export by another name", "test/a.ts", "const x = 1; export { x as default };"],
    ["a name that says nothing", "agent/utils.ts", "export const x = 1;"],
    ["a name that says nothing in tests", "test/deep/helpers.ts", "export const x = 1;"],
    ["a file too long", "scripts/a.ts", "//\n".repeat(400)],
  ];

  test.each(planted)("%s", (_what, path, source) => {
    expect(breachesOf(path, source)).toEqual([expect.stringContaining(`${path}: `)].concat(alsoReached(source)));
  });

  test.each([
    ["no comment", "export const x = 1;\n"],
    ["a comment after code", "export const x = 1;\n/** Says what it is for. */\n"],
    ["an empty comment", "/** */\nexport const x = 1;\n"],
    ["a word", "// Paths.\nexport const x = 1;\n"],
  ])("a file that starts with %s", (_what, source) => {
    expect(breaches(new Map([["agent/a.ts", source]]), DEPENDENCIES)).toEqual([
      "agent/a.ts: does not start with a sentence of comment",
    ]);
  });

  test("the relay reaching a job through a file it may import", () => {
    const sources = new Map([
      ["relay/a.ts", `${COMMENT}import { x } from "../protocol/envelope.ts";`],
      ["protocol/envelope.ts", `${COMMENT}import { x } from "./between.ts";`],
      ["protocol/between.ts", `${COMMENT}import { x } from "./job-body.ts";`],
      ["protocol/job-body.ts", COMMENT],
    ]);
    expect(breaches(sources, DEPENDENCIES)).toEqual(["relay: reaches protocol/job-body.ts, so it could read a job"]);
  });
});

describe("what keeps the rules is let through", () => {
  const kept: readonly (readonly [what: string, path: string, source: string])[] = [
    ["the agent seeing protocol", "agent/a.ts", `import { x } from "../protocol/x.ts";`],
    ["the agent using Node and what ships", "agent/a.ts", `import "node:fs"; import "ws"; import "./y.ts";`],
    ["the Node primitives using Node", "protocol/primitives/node.ts", `import { verify } from "node:crypto";`],
    ["protocol using noble", "protocol/a.ts", `import "#primitives"; import "@noble/curves/ed25519.js";`],
    ["the relay seeing an envelope", "relay/a.ts", `import { x } from "../protocol/envelope.ts";`],
    ["one file starting its program", "packaging/one-file/keybound-relay.ts", `void import("../../relay/main.ts");`],
    ["the installer seeing paths", "installer/a.ts", `import { x } from "../agent/paths.ts";`],
    ["the installer seeing the binding", "installer/a.ts", `import { x } from "../agent/binding-store.ts";`],
    ["a test seeing everything", "test/a.ts", `import "../scripts/build.ts"; import "../relay/y.ts"; import "vitest";`],
    ["an import in a comment", "agent/a.ts", `// import { x } from "../relay/x.ts";`],
    ["an import in a string", "agent/a.ts", `export const text = 'import "../relay/x.ts"';`],
    ["the agent having release keys", "agent/a.ts", `import k from "../packaging/release-keys.json";`],
    ["a name with a word for nothing in it", "agent/service-unit.ts", "export const x = 1;"],
  ];

  test.each(kept)("%s", (_what, path, source) => {
    expect(breachesOf(path, source)).toEqual([]);
  });
});

/** The second line that a direct import of a forbidden file brings. */
function alsoReached(source: string): readonly string[] {
  const reached = RELAY_MUST_NOT_REACH.filter((path) => source.includes(path));
  return reached.map(() => expect.stringContaining("relay: reaches"));
}
