// A file system of a few megabytes, for what happens when it is full.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { folder } from "./bound.ts";

/** Root outside a container may; where nobody may, the test is counted as skipped. */
export function canMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), "keybound-mount-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", place]).status === 0;
  if (isMounted) spawnSync("umount", [place]);
  rmSync(place, { recursive: true });
  return isMounted;
}

/** A folder that is one, until the test ends. */
export function smallDisk(megabytes: number): string {
  const path = join(folder(), "disk");
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "keybound-test", path]);
  onTestFinished(() => void execFileSync("umount", ["-l", path]));
  return path;
}
