// A folder that only its owner can read, for keys, sources and receipts: one function a platform.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { besideProgram } from "../beside-program.ts";
import { FOLDER_TIME_MS } from "../limits.ts";
import { LAUNCHER } from "../run/windows-launcher.ts";

/** Makes it where there is none, and what is missing above it. Throws where that cannot be. `folder` is absolute. */
export function makePrivate(folder: string, platform: NodeJS.Platform): void {
  if (platform === "win32") return makeOnWindows(folder);
  makeFolder(folder);
  if (statSync(folder).mode & 0o077) chmodSync(folder, 0o700);
}

/** A file in such a folder; on Windows it has the folder's list. */
export function keepPrivate(file: string, platform: NodeJS.Platform): void {
  if (platform !== "win32") chmodSync(file, 0o600);
}

// Not mkdir's own recursion, which never ends below /proc, where nothing can be made and nothing says so.
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

/** Windows has no modes: who may read is a list of accounts, which Node cannot write and the launcher can. */
function makeOnWindows(folder: string): void {
  const { status, stderr, error } = spawnSync(besideProgram(LAUNCHER), ["private", folder], {
    encoding: "utf8",
    timeout: FOLDER_TIME_MS,
    windowsHide: true,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(WORDS[stderr.trim()] ?? `error ${stderr.trim()} of Windows`);
}

// winerror.h
const WORDS: Readonly<Record<string, string>> = {
  "3": "the folder above the one above it is not there",
  "5": "access denied",
  "267": "a file is in its place",
  "1307":
    "it, what lies in it, or the folder above it belongs to somebody who is no administrator: look into it, then remove it",
  "4393": "it, what lies in it, or the folder above it leads to another place",
};
