// The public status file, which more than one program writes.
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { pathsIn } from "../../agent/paths.ts";
import { folder, openState } from "./bound.ts";

it("is whole, and leaves nothing beside it, when two write it at one time", async () => {
  const path = join(folder(), "state");
  openState(path);
  const writer = join(import.meta.dirname, "status-writer.ts");
  const writers = [new Worker(writer, { workerData: path }), new Worker(writer, { workerData: path })];
  await Promise.all(writers.map((worker) => once(worker, "exit")));
  const { publicStatus } = pathsIn(path);
  expect(JSON.parse(readFileSync(publicStatus, "utf8"))).toEqual({ bound: false, at: 200 });
  expect(existsSync(`${publicStatus}.new`)).toBe(false);
});
