// How a running agent hears that it is to stop.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readJournal } from "../../agent/state/journal.ts";
import { until } from "../e2e/program.ts";
import { folder, openState } from "./bound.ts";

const AGENT = join(import.meta.dirname, "../../agent/main.ts");

/** An agent that waits to be bound, with an open pipe as its standard input. */
async function started(...options: readonly string[]) {
  const path = join(folder(), "state");
  const child = spawn(process.execPath, [AGENT, "run", "--state", path, ...options], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  await until(
    () => said.includes("waiting to be bound"),
    "a start",
    () => said,
  );
  return { child, path, ended: once(child, "exit") };
}

it("by the end of its input where it was told to mind that", async () => {
  const { child, path, ended } = await started("--until-input-ends");
  child.stdin.end();
  expect(await ended).toEqual([0, null]);
  expect(readJournal(openState(path), 1)[0]?.entry).toContain('"type":"stopped"');
});

it("and by nothing that it reads there", async () => {
  const { child, ended } = await started("--until-input-ends");
  child.stdin.write("x".repeat(1_000_000));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(child.exitCode).toBeNull();
  child.stdin.end();
  expect(await ended).toEqual([0, null]);
});

it("by a signal though its input stays open", async () => {
  const { child, ended } = await started("--until-input-ends");
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});

it("not by the end of its input otherwise", async () => {
  const { child, ended } = await started();
  child.stdin.end();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(child.exitCode).toBeNull();
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
});
