/** The time that everything in a release bears: SOURCE_DATE_EPOCH, or the commit's. */
import { execFileSync } from "node:child_process";
import { ROOT } from "./payload.ts";

/** Seconds since the epoch. */
export function epochS(): number {
  const text = process.env["SOURCE_DATE_EPOCH"] ?? commitTime();
  if (!/^\d{1,11}$/.test(text)) throw new Error(`SOURCE_DATE_EPOCH is ${text}, must be seconds since 1970`);
  return Number(text);
}

function commitTime(): string {
  try {
    return execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: ROOT, encoding: "utf8", stdio: "pipe" }).trim();
  } catch (cause) {
    throw new Error("git knows no commit here\nhint: SOURCE_DATE_EPOCH=SECONDS says which time is to be borne", {
      cause,
    });
  }
}
