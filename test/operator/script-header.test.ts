// Headers of scripts: one strict form, every mistake with its line, and values that are of their type.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fault } from "../../operator/fault.ts";
import { runLines } from "../../operator/jobs/job-lines.ts";
import { MAX_HEADER_LINES, MAX_PARAMETERS } from "../../operator/limits.ts";
import { readHeader } from "../../operator/library/header.ts";
import { type ParameterType, readValue } from "../../operator/library/parameter.ts";
import { readParameterLine } from "../../operator/library/parameter-line.ts";
import { matches, readPattern } from "../../operator/library/pattern.ts";
import { secretVariables, withoutSecrets } from "../../operator/library/secret-variables.ts";

const FULL = `#!/bin/bash
# keybound: name = restart-service
# keybound: description = Restart a service and say whether it came up
# keybound: shell = bash
# keybound: platform = linux, macos
# keybound: timeout = 5m
# keybound: output-limit = 64K
# keybound: expires = 2d
# keybound: lock = services
# keybound: may-reboot = true

# What stands between is a comment like any other.
# keybound: param service: string, pattern ^[a-z0-9@._-]+$ -- which service
# keybound: param wait: duration, min 1s, max 10m = 30s
# keybound: param force as FORCE: boolean = false
# keybound: param level: choice(low, high) = low
# keybound: param greeting: string, length 0..20 = "a -- b = \\"c\\"" -- said first
# keybound: param password: secret
systemctl restart "$KEYBOUND_PARAM_SERVICE"
`;

const HEAD = ["# keybound: name = x", "# keybound: description = y", "# keybound: shell = sh"];

function header(...lines: readonly string[]) {
  return readHeader(`${[...HEAD, ...lines].join("\n")}\ntrue\n`, "x.sh");
}

describe("a header", () => {
  test("says everything that it can say", () => {
    const { parameters, ...rest } = readHeader(FULL, "x.sh");
    expect(rest).toEqual({
      name: "restart-service",
      description: "Restart a service and say whether it came up",
      shell: "bash",
      platforms: ["linux", "macos"],
      pass: "environment",
      timeoutMs: 300_000,
      outputLimitBytes: 65_536,
      expiresMs: 172_800_000,
      lock: "services",
      mayReboot: true,
    });
    expect(parameters.map(({ name, variable, fallback, about }) => [name, variable, fallback, about])).toEqual([
      ["service", "KEYBOUND_PARAM_SERVICE", undefined, "which service"],
      ["wait", "KEYBOUND_PARAM_WAIT", "30s", undefined],
      ["force", "FORCE", "false", undefined],
      ["level", "KEYBOUND_PARAM_LEVEL", "low", undefined],
      ["greeting", "KEYBOUND_PARAM_GREETING", 'a -- b = "c"', "said first"],
      ["password", "KEYBOUND_PARAM_PASSWORD", undefined, undefined],
    ]);
  });

  test("is the same with the line ends and the mark of Windows", () => {
    const windows = `\u{feff}${FULL.replaceAll("\n", "\r\n")}`;
    expect(readHeader(windows, "x.sh")).toEqual(readHeader(FULL, "x.sh"));
  });

  test.each([
    ["PowerShell", "powershell", "#"],
    ["Python", "python", "#"],
    ["cmd by rem", "cmd", "rem"],
    ["cmd by @REM", "cmd", "@REM"],
    ["cmd by ::", "cmd", "::"],
  ])("stands in comments of %s", (_what, shell, mark) => {
    const lines = [
      "@echo off",
      `${mark} keybound: name = x`,
      `${mark} keybound: description = y`,
      `${mark} keybound: shell = ${shell}`,
    ];
    const source = (shell === "cmd" ? lines : lines.slice(1)).join("\r\n");
    expect(readHeader(`${source}\r\n`, "x").shell).toBe(shell);
  });

  const wrong: readonly (readonly [what: string, lines: readonly string[], words: string])[] = [
    ["an unknown key", ["# keybound: plattform = linux"], 'x.sh:4: key "plattform"'],
    ["a key that is there twice", ["# keybound: name = z"], "x.sh:4: name is there twice"],
    ["a key without a value", ["# keybound: lock ="], "x.sh:4: lock has no value"],
    ["a key in another spelling", ["# Keybound: lock = a"], "x.sh:4: keybound: KEY = VALUE"],
    ["no setting at all", ["# keybound: lock"], "x.sh:4: keybound: KEY = VALUE"],
    ["an unknown platform", ["# keybound: platform = linux, beos"], "x.sh:4: platform: "],
    ["a platform that is there twice", ["# keybound: platform = linux, linux"], "x.sh:4: platform: "],
    ["a time without a unit", ["# keybound: timeout = 5"], "x.sh:4: 5: "],
    ["a time that no job may have", ["# keybound: timeout = 8d"], "x.sh:4: 8d is more than a job may have"],
    ["an odd lock", ["# keybound: lock = A B"], "x.sh:4: lock: "],
    ["an odd word for yes", ["# keybound: may-reboot = yes"], "x.sh:4: may-reboot: true or false"],
    ["an odd way to pass parameters", ["# keybound: pass = text"], "x.sh:4: pass: environment or arguments"],
    ["a comment of another shell", [":: keybound: lock = a"], "x.sh:4: :: begins no comment of sh"],
    ["a line below the first line of code", ["echo", "# keybound: lock = a"], "x.sh:5: a line of the header stands"],
    ["a line that is too long", [`# keybound: lock = ${"a".repeat(2000)}`], "x.sh:4: at most 2000 characters"],
    ["a parameter without a type", ["# keybound: param a"], "x.sh:4: param NAME: TYPE"],
    ["a parameter with an odd name", ["# keybound: param A: string"], "x.sh:4: param NAME: TYPE"],
    ["an unknown type", ["# keybound: param a: text"], 'x.sh:4: type "text"'],
    ["an unknown rule", ["# keybound: param a: string, size 3"], 'x.sh:4: rule "size 3"'],
    ["a rule of another type", ["# keybound: param a: integer, length 1..2"], "x.sh:4: this type has no rule length"],
    ["a rule that is there twice", ["# keybound: param a: integer, min 1, min 2"], "x.sh:4: rule min is there twice"],
    ["a least above the most", ["# keybound: param a: integer, min 3, max 2"], "x.sh:4: min is more than max"],
    ["a length beyond the bound", ["# keybound: param a: string, length 1..5000"], "x.sh:4: length 1..5000"],
    ["a pattern with a group", ["# keybound: param a: string, pattern ^(a+)+$"], "x.sh:4: pattern ^(a+)+$"],
    ["a default of another type", ["# keybound: param a: integer = two"], 'x.sh:4: default "two": a whole number'],
    ["a default that is no choice", ["# keybound: param a: choice(b, c) = d"], 'x.sh:4: default "d": b, c'],
    ["a default that is no JSON string", ['# keybound: param a: string = "b'], "x.sh:4: a default that begins with a"],
    ["a default for a secret", ["# keybound: param a: secret = b"], "x.sh:4: a secret has no default"],
    ["a choice that is there twice", ["# keybound: param a: choice(b, b)"], "x.sh:4: a choice that is there twice"],
    ["a choice with a space", ["# keybound: param a: choice(b c)"], 'x.sh:4: choice "b c"'],
    ["a variable that programs obey", ["# keybound: param a as LD_PRELOAD: string"], "x.sh:4: as LD_PRELOAD"],
    ["a variable that Windows obeys", ["# keybound: param a as Path: string"], "x.sh:4: as Path"],
    [
      "a parameter that is there twice",
      ["# keybound: param a: string", "# keybound: param a: integer"],
      "x.sh:5: param a is there twice",
    ],
    [
      "two parameters of one variable",
      ["# keybound: param a-b: string", "# keybound: param a_b: string"],
      "x.sh:5: two parameters have the variable KEYBOUND_PARAM_A_B",
    ],
    [
      "more parameters than somebody can fill in",
      Array.from({ length: MAX_PARAMETERS + 1 }, (_, at) => `# keybound: param a${at}: string`),
      `x.sh:${MAX_PARAMETERS + 4}: at most ${MAX_PARAMETERS} parameters`,
    ],
  ];

  test.each(wrong)("with %s is refused, and the line is named", (_what, lines, words) => {
    expect(() => header(...lines)).toThrow(`script-header: ${words}`);
  });

  test("that is far too long is refused before it is read", () => {
    const lines = Array.from({ length: MAX_HEADER_LINES + 1 }, () => "# keybound: lock = a").join("\n");
    expect(() => readHeader(lines, "x")).toThrow(`x:${MAX_HEADER_LINES + 1}: more than ${MAX_HEADER_LINES} lines`);
  });

  test.each(["name", "description", "shell"])("without a %s is refused", (key) => {
    const source = HEAD.filter((line) => !line.includes(key)).join("\n");
    expect(() => readHeader(source, "x.sh")).toThrow(`x.sh:1: no line "keybound: ${key} = ..."`);
  });

  test.each(["../up", "a/b", "A", "con", "nul.txt", ".hidden", ""])("with the name %j is refused", (name) => {
    const source = [`# keybound: name = ${name}`, ...HEAD.slice(1)].join("\n");
    expect(() => readHeader(source, "x.sh")).toThrow("x.sh:1: name");
  });

  test.each(["cmd", "powershell", "pwsh"])("lets no value be an argument of %s, which would take it apart", (shell) => {
    const mark = shell === "cmd" ? "::" : "#";
    const lines = ["name = x", "description = y", `shell = ${shell}`, "pass = arguments"];
    const source = lines.map((line) => `${mark} keybound: ${line}`).join("\n");
    expect(() => readHeader(source, "x")).toThrow(`x:4: ${shell} takes parameters as environment only`);
  });

  test("of any words is read, or refused with its code and a line", () => {
    const word = fc.constantFrom(
      "# ",
      ":: ",
      "keybound: ",
      "param ",
      "a",
      ": ",
      "string",
      " = ",
      '"',
      ", ",
      " -- ",
      "\n",
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        expect(codeOf(() => readHeader([...HEAD, words.join("")].join("\n"), "x.sh"))).toMatch(
          /^(read|script-header: x\.sh:\d+: .+)$/,
        );
      }),
    );
  });
});

function codeOf(read: () => unknown): string {
  try {
    read();
    return "read";
  } catch (error) {
    return error instanceof Fault ? error.message : `not a fault: ${String(error)}`;
  }
}

describe("a pattern", () => {
  test.each(["^[a-z0-9@._-]+$", "^\\d{4}-\\d{2}$", "[^/]*", "^v\\d+\\.\\d+$", "^\\$x\\$$", "a{2,}b?", "^.{1,3}$"])(
    "%s is one",
    (spelling) => {
      expect(readPattern(spelling)?.spelling).toBe(spelling);
    },
  );

  test.each(["(a+)+", "a|b", "[z-a]", "[", "a{3,2}", "*", "a**", "^$", "", "\\b", "a b", "(?=a)", "a".repeat(65)])(
    "%j is none",
    (spelling) => {
      expect(readPattern(spelling)).toBeUndefined();
    },
  );

  test("says of every value what a regular expression says of the whole of it", () => {
    const atom = fc.constantFrom("a", "b", "[ab]", "[^a]", "\\d", "\\w", ".", "\\.", "-");
    const times = fc.constantFrom("", "?", "*", "+", "{2}", "{1,}", "{0,2}");
    const spelling = fc.array(fc.tuple(atom, times), { minLength: 1, maxLength: 6 }).map((all) => all.flat().join(""));
    const value = fc
      .array(fc.constantFrom("a", "b", "1", ".", "-", "\u{1f600}"), { maxLength: 8 })
      .map((all) => all.join(""));
    fc.assert(
      fc.property(spelling, value, (typed, text) => {
        const pattern = readPattern(typed);
        expect(pattern && matches(pattern, text)).toBe(new RegExp(`^(?:${typed})$`, "u").test(text));
      }),
      { numRuns: 2000 },
    );
  });

  test("that a backtracking matcher would never finish is matched at once", () => {
    const pattern = readPattern("a*".repeat(64));
    const started = process.cpuUsage().user;
    expect(pattern && matches(pattern, `${"a".repeat(4000)}!`)).toBe(false);
    expect(process.cpuUsage().user - started).toBeLessThan(2_000_000);
  });
});

function typeOf(words: string): ParameterType {
  return readParameterLine(`param a: ${words}`).type;
}

describe("a value", () => {
  const values: readonly (readonly [type: string, typed: string, got: string | { problem: string }])[] = [
    ["string", "", ""],
    ["string", "a\n'\"$(b)`c`%PATH%", "a\n'\"$(b)`c`%PATH%"],
    ["string", "a\0b", { problem: "text without NUL and half characters" }],
    ["string", "\ud800", { problem: "text without NUL and half characters" }],
    ["string, length 2..3", "abcd", { problem: "2 to 3 characters, not 4" }],
    ["string, pattern ^[a-z]+$", "a1", { problem: "not of the pattern ^[a-z]+$" }],
    ["string, pattern ^[a-z]+$", "a\n", { problem: "not of the pattern ^[a-z]+$" }],
    ["secret", "", { problem: "1 to 4096 characters, not 0" }],
    ["integer", "-12", "-12"],
    ["integer", "012", { problem: "a whole number" }],
    ["integer", "1e3", { problem: "a whole number" }],
    ["integer", "9007199254740993", { problem: "a whole number" }],
    ["integer, min 1, max 9", "0", { problem: "at least 1" }],
    ["integer, min 1, max 9", "10", { problem: "at most 9" }],
    ["boolean", "true", "true"],
    ["boolean", "1", { problem: "true, false" }],
    ["choice(low, high)", "high", "high"],
    ["choice(low, high)", "High", { problem: "low, high" }],
    ["duration", "5m", "300"],
    ["duration", "5", { problem: "a number with s, m, h or d, such as 30s" }],
    ["duration, max 1h", "2h", { problem: "at most 3600" }],
    ["size", "64K", "65536"],
    ["size", "many", { problem: "a number of bytes, or with K, M or G, such as 64K" }],
  ];

  test.each(values)("of %s typed as %j is %j", (type, typed, got) => {
    expect(readValue(typeOf(type), typed)).toEqual(typeof got === "string" ? { value: got } : got);
  });
});

describe("a secret in a job's body", () => {
  test("is known by the source's own header, and its value is left out", () => {
    const env = [
      { name: "KEYBOUND_PARAM_PASSWORD", value: "hunter2" },
      { name: "FORCE", value: "true" },
    ];
    expect(withoutSecrets({ source: FULL, env }).env).toEqual([
      { name: "KEYBOUND_PARAM_PASSWORD", value: null },
      { name: "FORCE", value: "true" },
    ]);
  });

  test("is shown to a co-signer by its length alone", () => {
    const lines = runLines({
      salt: "",
      shell: "bash",
      source: FULL,
      args: [],
      env: [{ name: "KEYBOUND_PARAM_PASSWORD", value: "hunter2" }],
      user: { as: "system" },
      limits: { timeMs: 1000, outputBytes: 1000 },
      mayReboot: false,
    });
    expect(lines).toContain("variable    KEYBOUND_PARAM_PASSWORD: a secret of 7 characters, which is not shown");
    expect(lines.join("\n")).not.toContain("hunter2");
  });

  test("is none where the header is wrong, or is not there", () => {
    expect(secretVariables({ source: `${FULL}# keybound: lock = x\n` }).size).toBe(0);
    expect(secretVariables({ source: "true" }).size).toBe(0);
    expect(secretVariables({}).size).toBe(0);
  });
});
