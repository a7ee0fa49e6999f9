// How a source lies on a Windows device: written here as it is there, since only names and bytes matter.
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isBatchFile } from "../../agent/run/windows-interpreter.ts";
import { windowsSource } from "../../agent/run/windows-source.ts";
import { folder } from "./bound.ts";

function placed({ source, extension, inSession = false }: { source: string; extension: string; inSession?: boolean }) {
  const jobs = folder();
  const given = windowsSource({ text: source, owner: undefined, as: 3, jobs, name: "job", extension, inSession });
  const read = (name: string) => readFileSync(join(jobs, "job", name), "utf8");
  return { given, read, names: () => readdirSync(jobs, { recursive: true }).map(String).toSorted() };
}

describe("a batch file", () => {
  it("has Windows' line ends and nothing else of ours", () => {
    expect(placed({ source: "a\nb\r\nc", extension: ".cmd" }).read("run.cmd")).toBe("a\r\nb\r\nc");
  });

  it("begins by choosing UTF-8 in a session, whose console is not the launcher's", () => {
    expect(placed({ source: "a\n", extension: ".cmd", inSession: true }).read("run.cmd")).toBe(
      '@"%SystemRoot%\\System32\\chcp.com" 65001 >nul\r\na\r\n',
    );
  });
});

describe("a PowerShell script", () => {
  it("is the signed text with a mark that it is UTF-8, beside an opening in plain ASCII", () => {
    const { read, names } = placed({ source: "'ñ'\n", extension: ".ps1" });
    expect(read("source.txt")).toBe("\ufeff'ñ'\n");
    expect(Buffer.from(read("run.ps1")).every((byte) => byte < 0x80)).toBe(true);
    expect(names()).toEqual(["job", "job/begun", "job/run.ps1", "job/source.txt"]);
  });

  it("has one such mark, whether or not it was signed with one", () => {
    expect(placed({ source: "\ufeff1", extension: ".ps1" }).read("source.txt")).toBe("\ufeff1");
  });

  it("has begun when the file that says so has been written", () => {
    const { given } = placed({ source: "1", extension: ".ps1" });
    expect(given.hasBegun?.()).toBe(false);
    appendFileSync(given.place?.begun ?? "", "begun\r\n");
    expect(given.hasBegun?.()).toBe(true);
  });
});

it("a source is gone with all that lay beside it once it is removed", () => {
  const { given, names } = placed({ source: "1", extension: ".ps1" });
  given.remove();
  expect(names()).toEqual([]);
});

it.each(["C:\\a.cmd", "C:\\a.BAT", "C:\\a.cmd. .", "C:\\a.bat::$DATA"])("%s is a batch file", (path) => {
  expect(isBatchFile(path)).toBe(true);
});

it.each(["C:\\a.exe", "C:\\cmd", "C:\\a.bat\\b.exe", "C:\\a.batx"])("%s is none", (path) => {
  expect(isBatchFile(path)).toBe(false);
});
