// Interpreters of this machine: which program is taken, and what it says of its version.
import { chmodSync, existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Interpreter } from "../../agent/run/interpreter.ts";
import { InterpreterVersions, parseVersion, soon } from "../../agent/run/interpreter-version.ts";
import { folder } from "./bound.ts";
import { ranOn } from "./ran.ts";

function program(text: string): Interpreter & { readonly file: string } {
  const file = join(folder(), "interpreter");
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return { file, path: file, args: () => [], extension: "", askVersion: ["--version"] };
}

describe("an interpreter's version", () => {
  it.each([
    ["GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)\nCopyright", "5.2.15(1)-release"],
    ["zsh 5.9 (x86_64-debian-linux-gnu)\n", "5.9"],
    ["Python 3.11.2\n", "3.11.2"],
    ["Python 3.15.0a3+\n", "3.15.0a3+"],
    ["PowerShell 7.6.1\n", "7.6.1"],
    ["something else\n", undefined],
  ])("of %j is %s", (answer, version) => {
    expect(parseVersion(answer)).toBe(version);
  });

  it("has at most as many characters as a receipt takes", () => {
    expect(parseVersion(`1${".123456789".repeat(50)}-${"x".repeat(500)}`)).toHaveLength(64);
  });

  it("stands in the result of a job, as the program says it", async () => {
    const versions = new InterpreterVersions();
    await versions.of({ path: "/usr/bin/bash", args: () => [], extension: "", askVersion: ["--version"] });
    const { interpreter, interpreterVersion } = await ranOn({ shell: "bash", source: "true" }, { versions });
    expect(interpreter).toMatch(/bash$/);
    expect(execFileSync("bash", ["--version"], { encoding: "utf8" })).toContain(`version ${interpreterVersion} `);
  });

  it("is not asked of a program that the job chose", async () => {
    const { file } = program('echo "$@" >> "$0.asked"');
    await ranOn({ shell: "exec", source: undefined, args: [file, "once"] });
    expect(readFileSync(`${file}.asked`, "utf8")).toBe("once\n");
  });

  it.skipIf(!existsSync("/bin/dash"))("is left out for a plain sh, which has none", async () => {
    expect(await ranOn({ source: "true" })).not.toHaveProperty("interpreterVersion");
  });

  it("is asked once until the program changes, also by jobs that ask together", async () => {
    const versions = new InterpreterVersions();
    const one = program('echo x >> "$0.asked"; echo v 1.0');
    expect(await Promise.all([versions.of(one), versions.of(one)])).toEqual(["1.0", "1.0"]);
    expect(await versions.of(one)).toBe("1.0");
    expect(readFileSync(`${one.file}.asked`, "utf8")).toBe("x\n");
    writeFileSync(one.file, "#!/bin/sh\necho v 2.0\n");
    utimesSync(one.file, 1, 1);
    expect(await versions.of(one)).toBe("2.0");
  });

  it("is asked with nothing of the agent's environment", async () => {
    process.env["LEAKED_INTO_VERSION"] = "9.9";
    const version = await new InterpreterVersions().of(program('echo "v ${LEAKED_INTO_VERSION:-1.0}"'));
    delete process.env["LEAKED_INTO_VERSION"];
    expect(version).toBe("1.0");
  });

  it("is given up where the program says too much, fails or hangs, and asked again for the next job", async () => {
    const versions = new InterpreterVersions();
    expect(await versions.of(program("yes 1.0"))).toBeUndefined();
    expect(await versions.of(program("echo 1.0; exit 1"))).toBeUndefined();
    const hangs = program("sleep 3");
    const began = performance.now();
    expect(await versions.of(hangs)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(2_900);
    writeFileSync(hangs.file, "#!/bin/sh\necho 3.0\n");
    expect(await versions.of(hangs)).toBe("3.0");
  });

  it("is not waited for by a job that has ended", async () => {
    const began = performance.now();
    expect(await soon(new Promise(() => undefined))).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe("shells", () => {
  it("python runs its source with arguments, input and a PYTHONPATH that was signed, and from no folder of its own", async () => {
    const library = folder();
    chmodSync(library, 0o755);
    writeFileSync(join(library, "signed_module.py"), "word = 'found'\n");
    const source =
      "import sys, signed_module\nprint(signed_module.word, sys.argv[1:], sys.stdin.read(), '' in sys.path, 'ä')";
    const { stdout } = await ranOn({
      shell: "python",
      source,
      args: ["a b"],
      stdin: Buffer.from("in").toString("base64url"),
      env: [{ name: "PYTHONPATH", value: library }],
    });
    expect(stdout).toBe("found ['a b'] in False ä\n");
  });

  it.skipIf(!existsSync("/usr/bin/zsh"))("zsh runs its source without its user's startup files", async () => {
    const home = folder();
    writeFileSync(join(home, ".zshenv"), "echo startup\n");
    const env = [{ name: "HOME", value: home }];
    const { stdout } = await ranOn({ shell: "zsh", source: 'a=(1 2); print ${a[1]} "$@"', args: ["x y"], env });
    expect(stdout).toBe("1 x y\n");
  });

  it("bash reads a BASH_ENV that was signed and none else", async () => {
    const file = join(folder(), "env");
    writeFileSync(file, "echo signed\n");
    process.env["BASH_ENV"] = file;
    const job = { shell: "bash", source: "echo ran" };
    const { stdout } = await ranOn(job);
    delete process.env["BASH_ENV"];
    expect(stdout).toBe("ran\n");
    expect((await ranOn({ ...job, env: [{ name: "BASH_ENV", value: file }] })).stdout).toBe("signed\nran\n");
  });
});
