// Whether there is room on the disk, asked before it is filled: by file system, because several places may share one.
import { statfsSync, statSync } from "node:fs";
import { refuse } from "../../protocol/refusal.ts";
import { DISK_RESERVE_BYTES } from "../limits.ts";

export type Need = { readonly folder: string; readonly bytes: number };

/** Throws `disk-short` where a file system would be left with less than the reserve. A folder that is not there is passed over. */
export function checkFreeSpace(needs: readonly Need[]): void {
  const perDisk = new Map<number, Need>();
  for (const { folder, bytes } of needs) {
    const dev = statSync(folder, { throwIfNoEntry: false })?.dev;
    if (dev === undefined) continue;
    perDisk.set(dev, { folder, bytes: bytes + (perDisk.get(dev)?.bytes ?? 0) });
  }
  for (const { folder, bytes } of perDisk.values()) {
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    if (free < bytes + DISK_RESERVE_BYTES)
      throw refuse("disk-short", `${free} bytes free, ${bytes} needed and ${DISK_RESERVE_BYTES} in reserve`);
  }
}
