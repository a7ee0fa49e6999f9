// The library of scripts: copies in a home and plain folders, names that are no paths, and values that are checked.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MAX_LIBRARY_SCRIPTS, MAX_SCRIPT_BYTES } from "../../operator/limits.ts";
import { FolderLibrary } from "../../operator/library/folder-library.ts";
import { HomeLibrary } from "../../operator/library/home-library.ts";
import { limitsOf, programOf, titleOf } from "../../operator/library/prepare.ts";
import { readScriptFile, scriptOf } from "../../operator/library/script.ts";
import { chooseValues, type ValueOptions } from "../../operator/library/values.ts";
import { nobody } from "./nobody.ts";

let folder: string;
let library: HomeLibrary;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keybound-library-"));
  mkdirSync(join(folder, "team"));
  library = new HomeLibrary(folder, "linux");
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function sourceNamed(name: string, ...lines: readonly string[]): string {
  const head = [`name = ${name}`, "description = Says hello", "shell = sh", ...lines];
  return `#!/bin/sh\n${head.map((line) => `# keybound: ${line}\n`).join("")}echo hello\n`;
}

function file(name: string, source: string | Uint8Array): string {
  const path = join(folder, "team", name);
  writeFileSync(path, source);
  return path;
}

async function add(path: string, replace = false) {
  return await library.add([{ script: readScriptFile(path), from: path }], { replace });
}

describe("the library of a home", () => {
  test("keeps a copy that only its user can read, byte for byte", async () => {
    const source = sourceNamed("hello").replaceAll("\n", "\r\n");
    expect(await add(file("hello.sh", source))).toEqual(["added"]);
    expect(library.get("hello").source).toBe(source);
    expect([
      statSync(join(folder, "library")).mode & 0o777,
      statSync(join(folder, "library/hello.json")).mode & 0o777,
    ]).toEqual([0o700, 0o600]);
  });

  test("shows the sum that sha256sum shows", async () => {
    await add(file("hello.sh", "# keybound: name = hello\n# keybound: description = h\n# keybound: shell = sh\n"));
    expect(library.get("hello").sha256).toBe("a796bb84d141e55000de2af4e7f558a24dbd0d8d29b6e3aaef3d52177fab8785");
  });

  test("does not follow the file that it was copied from, and says that it has changed, or is gone", async () => {
    const path = file("hello.sh", sourceNamed("hello"));
    await add(path);
    expect(library.get("hello").origin).toBeUndefined();
    writeFileSync(path, `${sourceNamed("hello")}rm -rf /\n`);
    expect([library.get("hello").origin, library.get("hello").source]).toEqual(["changed", sourceNamed("hello")]);
    rmSync(path);
    expect(library.get("hello").origin).toBe("missing");
  });

  test("takes the same script again, and another of its name only where it is to be replaced", async () => {
    const path = file("hello.sh", sourceNamed("hello"));
    await add(path);
    expect(await add(path)).toEqual(["unchanged"]);
    writeFileSync(path, `${sourceNamed("hello")}true\n`);
    await expect(add(path)).rejects.toThrow("script-exists: hello");
    expect(await add(path, true)).toEqual(["replaced"]);
    expect(library.get("hello").source).toContain("true\n");
  });

  test("takes all scripts of a folder or none", async () => {
    await add(file("b.sh", sourceNamed("b")));
    const added = ["a", "b"].map((name) => {
      const path = file(`${name}.sh`, `${sourceNamed(name)}true\n`);
      return { script: readScriptFile(path), from: path };
    });
    await expect(library.add(added, { replace: false })).rejects.toThrow("script-exists: b");
    expect(library.names()).toEqual(["b"]);
  });

  test.each([
    ["another content", (json: string) => json.replace("echo hello", "rm -rf /")],
    ["half of it", (json: string) => json.slice(0, 40)],
    ["a member more", (json: string) => json.replace("{", '{"more":1,')],
  ])("does not run a copy that was written over with %s", async (_what, change) => {
    await add(file("hello.sh", sourceNamed("hello")));
    const path = join(folder, "library/hello.json");
    writeFileSync(path, change(readFileSync(path, "utf8")));
    expect(() => library.get("hello")).toThrow("script-changed: hello");
  });

  test("does not run a copy under another name", async () => {
    await add(file("hello.sh", sourceNamed("hello")));
    writeFileSync(join(folder, "library/other.json"), readFileSync(join(folder, "library/hello.json")));
    expect(() => library.get("other")).toThrow("script-changed: other");
  });

  test.each(["../config", "library/../config", ".", "", "HELLO"])("has no script %j, whatever stands there", (name) => {
    writeFileSync(join(folder, "config.json"), "{}");
    expect(() => library.get(name)).toThrow("script-unknown");
  });

  test("is not read where others may write into it", async () => {
    await add(file("hello.sh", sourceNamed("hello")));
    expect(() => new HomeLibrary(folder, "win32").get("hello")).not.toThrow();
    const open = join(folder, "library");
    rmSync(open, { recursive: true });
    mkdirSync(open, { mode: 0o755 });
    expect(() => library.names()).toThrow("home-unsafe");
  });

  test("removes a script, also one that cannot be read", async () => {
    await add(file("hello.sh", sourceNamed("hello")));
    writeFileSync(join(folder, "library/hello.json"), "?");
    await library.remove("hello");
    expect(readdirSync(join(folder, "library"))).toEqual([]);
    await expect(library.remove("hello")).rejects.toThrow("script-unknown: hello");
  });

  test("has a bound, which a replacement does not reach", async () => {
    await add(file("hello.sh", sourceNamed("hello")));
    for (let at = 1; at < MAX_LIBRARY_SCRIPTS; at++) writeFileSync(join(folder, `library/s${at}.json`), "?");
    await expect(add(file("more.sh", sourceNamed("more")))).rejects.toThrow("library-full");
    expect(await add(file("hello.sh", `${sourceNamed("hello")}true\n`), true)).toEqual(["replaced"]);
  });
});

describe("a file", () => {
  test.each([
    ["too long", new Uint8Array(MAX_SCRIPT_BYTES + 1), "file-large"],
    ["not text", new Uint8Array([0xff, 0xfe]), "script-header"],
    ["with a NUL", `${sourceNamed("x")}\0`, "script-header"],
    ["without a header", "echo\n", "script-header"],
  ])("that is %s is no script", (_what, content, code) => {
    const path = file("x.sh", content);
    expect(() => readScriptFile(path)).toThrow(`${code}: ${path}`);
  });
});

describe("a plain folder as a library", () => {
  test("has the scripts at its top, and passes over what is none", () => {
    file("hello.sh", sourceNamed("hello"));
    file("bye.py", sourceNamed("bye").replace("shell = sh", "shell = python"));
    file("README.md", "# keybound: name = readme\n");
    file("lib.sh", "echo\n");
    mkdirSync(join(folder, "team/sub.sh"));
    symlinkSync("/etc/passwd", join(folder, "team/link.sh"));
    expect(new FolderLibrary(join(folder, "team")).list().map(({ header }) => header.name)).toEqual(["bye", "hello"]);
  });

  test("is read as it is now", () => {
    const path = file("hello.sh", sourceNamed("hello"));
    const shared = new FolderLibrary(join(folder, "team"));
    writeFileSync(path, `${sourceNamed("hello")}true\n`);
    expect(shared.get("hello").source).toContain("true\n");
  });

  test("refuses a file whose header has another name", () => {
    const path = file("hello.sh", sourceNamed("other"));
    expect(() => new FolderLibrary(join(folder, "team")).list()).toThrow(
      `script-header: ${path}: its header says name = other`,
    );
  });

  test("refuses two files of one name", () => {
    file("hello.sh", sourceNamed("hello"));
    file("hello.py", sourceNamed("hello"));
    expect(() => new FolderLibrary(join(folder, "team")).get("hello")).toThrow("two files are named hello");
  });

  test("has no script above it", () => {
    writeFileSync(join(folder, "secret.sh"), sourceNamed("secret"));
    expect(() => new FolderLibrary(join(folder, "team")).get("../secret")).toThrow("script-unknown");
  });

  test("that is not there is said so", () => {
    expect(existsSync(join(folder, "none"))).toBe(false);
    expect(() => new FolderLibrary(join(folder, "none")).list()).toThrow("file-missing");
  });
});

// --- Values ---

const PARAMETERS = [
  "param service: string, pattern ^[a-z0-9-]+$",
  "param wait: duration = 30s",
  "param note: string = none",
  "param password: secret",
];

function script(...lines: readonly string[]) {
  return scriptOf(sourceNamed("hello", ...lines), "hello");
}

async function values(options: ValueOptions, lines: readonly string[] = PARAMETERS) {
  return await chooseValues(nobody(), script(...lines).header, options);
}

describe("values of parameters", () => {
  test("are those given, then the header's, in the header's order, as the script gets them", async () => {
    const paramFile = [`password=${file("password", "hunter2\n")}`];
    const chosen = await values({ param: ["note=a=b", "service=nginx"], paramFile });
    expect(chosen.map(({ value }) => value)).toEqual(["nginx", "30", "a=b", "hunter2"]);
  });

  const misuses: readonly (readonly [what: string, param: readonly string[], words: string])[] = [
    ["an unknown one", ["wai=1"], "hello has no parameter wai, but service, wait, note, password"],
    ["one that is there twice", ["wait=1s", "wait=2s"], "parameter wait is given twice"],
    ["one without a value", ["wait"], "--param is followed by NAME=VALUE"],
    ["one of another type", ["wait=soon"], "parameter wait soon: a number with s, m, h or d"],
    ["one that is not of the pattern", ["service=a b"], "parameter service a b: not of the pattern"],
    [
      "a secret on the command line",
      ["password=hunter2"],
      "password is a secret, which others could read from --param",
    ],
    ["none where nobody can be asked", [], "hello needs --param service=VALUE --param-file password=FILE"],
  ];

  test.each(misuses)("with %s are misuse", async (_what, param, words) => {
    await expect(values({ param })).rejects.toThrow(`misuse: ${words}`);
  });

  test("that are secret stand in no error", async () => {
    const paramFile = [`password=${file("password", "hunter2")}`];
    const failed = await values({ paramFile }, ["param password: secret, length 20..30"]).catch(String);
    expect(failed).toContain("misuse: parameter password: 20 to 30 characters, not 7");
    expect(failed).not.toContain("hunter2");
  });

  test.each(["a&calc", "%PATH%", 'a"', "a^", "a\nb", "!x!"])(
    "of cmd are not %j, a part of which would be code",
    async (value) => {
      const source = sourceNamed("hello", "param a: string")
        .replaceAll("# keybound", ":: keybound")
        .replace("shell = sh", "shell = cmd");
      const { header } = scriptOf(source.replace("#!/bin/sh\n", ""), "hello");
      await expect(chooseValues(nobody(), header, { param: [`a=${value}`] })).rejects.toThrow(
        "cmd would take a part of it for code",
      );
    },
  );
});

describe("a script as a job", () => {
  test("has its source untouched and its values as variables", async () => {
    const paramFile = [`password=${file("password", "hunter2")}`];
    const made = script(...PARAMETERS);
    const program = programOf(made, await values({ param: ["service=nginx"], paramFile }));
    expect(program).toEqual({
      shell: "sh",
      source: made.source,
      args: [],
      env: [
        { name: "KEYBOUND_PARAM_SERVICE", value: "nginx" },
        { name: "KEYBOUND_PARAM_WAIT", value: "30" },
        { name: "KEYBOUND_PARAM_NOTE", value: "none" },
        { name: "KEYBOUND_PARAM_PASSWORD", value: "hunter2" },
      ],
    });
  });

  test("has them as arguments where its header says so, but for secrets", async () => {
    const lines = ["pass = arguments", ...PARAMETERS];
    const chosen = await values({ param: ["service=a"], paramFile: [`password=${file("p", "hunter2")}`] }, lines);
    const { args, env } = programOf(script(...lines), chosen);
    expect([args, env]).toEqual([["a", "30", "none"], [{ name: "KEYBOUND_PARAM_PASSWORD", value: "hunter2" }]]);
  });

  test("has a title of what was given, without secrets, which a label can be", async () => {
    const paramFile = [`password=${file("password", "hunter2")}`];
    const { header } = script(...PARAMETERS);
    const chosen = await values({ param: ["service=nginx", "note=two words\n"], paramFile });
    expect(titleOf(header, chosen)).toBe(String.raw`hello service=nginx note="two words\n"`);
    const long = await values({ param: ["service=nginx", `note=${"x".repeat(200)}`], paramFile });
    expect(titleOf(header, long)).toHaveLength(120);
    const odd = await values({ param: ["service=nginx", "note=\u{ad}"], paramFile });
    expect(titleOf(header, odd)).toBe("hello");
  });

  test("has the header's limits, and an option stands above them", () => {
    const { header } = script(
      "timeout = 5m",
      "lock = services",
      "expires = 2h",
      "output-limit = 1K",
      "may-reboot = true",
    );
    expect(limitsOf(header, { timeout: 1000 })).toEqual({
      timeout: 1000,
      lock: "services",
      expires: 7_200_000,
      outputLimit: 1024,
      mayReboot: true,
    });
  });
});
