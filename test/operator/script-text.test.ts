// A script file on its way into a job: which shell it is for, and what is put right before it is signed.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readScript } from "../../operator/jobs/script-text.ts";

function file(name: string, content: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), "keybound-script-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

describe("the shell of a script", () => {
  test.each([
    ["a.ps1", "1", "powershell"],
    ["a.CMD", "x\r\n", "cmd"],
    ["a.bat", "x\r\n", "cmd"],
    ["a.py", "1", "python"],
    ["a.sh", "x", "sh"],
    ["a", "x", "sh"],
    ["a.sh", "#!/bin/bash\nx", "bash"],
    ["a.py", "#! /usr/bin/env python3\n", "python"],
    ["a.ps1", "#!/usr/bin/env pwsh\r\n1", "pwsh"],
    ["a", "\u{feff}#!/usr/bin/zsh\r\nx\r\n", "zsh"],
  ])("%s that begins with %j is %s", (name, content, shell) => {
    expect(readScript(file(name, content), undefined).shell).toBe(shell);
  });

  test("is what was said, whatever the file says", () => {
    expect(readScript(file("a.py", "#!/bin/bash\n"), "sh").shell).toBe("sh");
  });

  test("is asked for where the first line wants a program that is none", () => {
    expect(() => readScript(file("a", "#!/usr/bin/perl\n"), undefined)).toThrow("say --shell");
  });

  test("gets no options of the first line, and that is said", () => {
    const { notes } = readScript(file("a", "#!/bin/bash -eu\n"), undefined);
    expect(notes).toEqual([expect.stringContaining('"-eu" of its first line is not passed on')]);
  });
});

describe("the text of a script", () => {
  test("for a POSIX shell loses Windows' line ends and mark, and that is said", () => {
    const { source, notes } = readScript(file("a.sh", "\u{feff}echo a\r\necho b\r\n"), undefined);
    expect(source).toBe("echo a\necho b\n");
    expect(notes).toHaveLength(2);
  });

  test("keeps line ends that only some lines have, and that is said", () => {
    const { source, notes } = readScript(file("a.sh", "echo a\r\necho b\n"), undefined);
    expect({ source, notes: notes.length }).toEqual({ source: "echo a\r\necho b\n", notes: 1 });
  });

  test("for cmd gets Windows' line ends", () => {
    expect(readScript(file("a.cmd", "\u{feff}:x\ngoto x\r\n"), undefined).source).toBe(":x\r\ngoto x\r\n");
  });

  test.each([
    ["a.ps1", "\u{feff}'Ä'\r\n1\n"],
    ["a.py", "print(1)\r\n"],
    ["a.sh", "echo 1\n"],
  ])("of %s is signed as it is: %j", (name, content) => {
    expect(readScript(file(name, content), undefined)).toMatchObject({ source: content, notes: [] });
  });

  test("that is not UTF-8 is not taken", () => {
    const wide = Buffer.from("\u{feff}dir", "utf16le");
    expect(() => readScript(file("a.ps1", wide), undefined)).toThrow("UTF-16 text; save it as UTF-8");
    expect(() => readScript(file("a.sh", Buffer.from([0xc4])), undefined)).toThrow("not UTF-8 text");
  });
});
