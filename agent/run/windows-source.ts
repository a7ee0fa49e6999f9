// A job's source on Windows: a file in a folder of the job's own, below the state folder, written as its shell reads it right.
import { closeSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Source, type SourceInput, writeAll } from "./source-file.ts";

const BOM = "\ufeff";

/**
 * PowerShell gets this instead of the script: 5.1 would read a script without a mark in the code page of the country, and write
 * in one; and a script cannot say that it has begun. The script runs as a block, so that `exit`, `throw`, `param` and the
 * arguments are what they are with -File. Cmdlets, since a policy may leave PowerShell nothing else.
 */
const POWERSHELL_OPENING = [
  "& (& {",
  "  try { [Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false } catch { }",
  '  Add-Content -LiteralPath "$PSScriptRoot\\begun" -Value begun -ErrorAction SilentlyContinue',
  '  [ScriptBlock]::Create("$(Get-Content -LiteralPath "$PSScriptRoot\\source.txt" -Raw -Encoding UTF8)")',
  "}) @args",
  "",
].join("\r\n");

/** cmd reads a batch file line by line in its console's code page, which is UTF-8 in the launcher's console and nowhere else. */
const CMD_OPENING = '@"%SystemRoot%\\System32\\chcp.com" 65001 >nul\r\n';

/** Removed when the job has ended; `clearSources` removes what a crash leaves. */
export function windowsSource(input: SourceInput): Source {
  const folder = join(input.jobs, input.name);
  const path = join(folder, `run${input.extension}`);
  const begun = join(folder, "begun");
  mkdirSync(folder, { mode: 0o700 });
  for (const [name, text] of filesFor(input)) writeFile(join(folder, name), text);
  const isPowerShell = input.extension === ".ps1";
  return {
    path,
    descriptor: undefined,
    release: () => undefined,
    // A process that is being ended may hold it for a moment more.
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
    place: { folder, begun: isPowerShell ? begun : undefined },
    ...(isPowerShell ? { hasBegun: () => statSync(begun).size > 0 } : {}),
  };
}

function filesFor({
  text: source,
  extension,
  inSession,
}: SourceInput): readonly (readonly [name: string, text: string])[] {
  switch (extension) {
    case ".ps1":
      return [
        ["run.ps1", POWERSHELL_OPENING],
        ["source.txt", `${BOM}${source.replace(/^\ufeff/, "")}`],
        ["begun", ""],
      ];
    case ".cmd":
      return [["run.cmd", `${inSession ? CMD_OPENING : ""}${withWindowsLines(source)}`]];
    default:
      return [[`run${extension}`, source]];
  }
}

/** cmd loses its place at labels where lines do not end as on Windows. */
function withWindowsLines(text: string): string {
  return text.replace(/\r?\n/g, "\r\n");
}

function writeFile(path: string, text: string): void {
  const writing = openSync(path, "wx", 0o600);
  try {
    writeAll(writing, text);
  } finally {
    closeSync(writing);
  }
}
