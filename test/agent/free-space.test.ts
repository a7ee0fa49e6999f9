// Asking for room before a disk is filled.
import { statfsSync } from "node:fs";
import { expect, it } from "vitest";
import { checkFreeSpace } from "../../agent/files/free-space.ts";
import { DISK_RESERVE_BYTES } from "../../agent/limits.ts";
import { codeOf } from "../protocol/refused.ts";
import { folder } from "./bound.ts";

const freeIn = (path: string) => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize - DISK_RESERVE_BYTES;
};

it("refuses with disk-short what would leave less than the reserve", () => {
  const path = folder();
  expect(codeOf(() => checkFreeSpace([{ folder: path, bytes: freeIn(path) + 512 * 1024 * 1024 }]))).toBe("disk-short");
});

it("adds up what goes to one disk under different names", () => {
  const [here, there] = [folder(), folder()];
  const bytes = Math.ceil(freeIn(here) * 0.6);
  expect(codeOf(() => checkFreeSpace([{ folder: here, bytes }]))).toBe("accepted");
  expect(codeOf(() => checkFreeSpace([here, there].map((path) => ({ folder: path, bytes }))))).toBe("disk-short");
});
