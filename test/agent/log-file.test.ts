// The log that the agent writes itself: bounded, kept through restarts, and no danger to the agent.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { LogFile } from "../../agent/service/log-file.ts";
import { until } from "../e2e/program.ts";
import { folder } from "./bound.ts";

const AGENT = join(import.meta.dirname, "../../agent/main.ts");
const line = (number: number) => `line ${number}\n`;

it("never grows beyond its bound, and keeps the newest lines", () => {
  const place = folder();
  const log = new LogFile(join(place, "log"), { maxBytes: 70, kept: 2 });
  for (let number = 100; number < 200; number++) log.write(line(number));
  expect(readdirSync(place).toSorted()).toEqual(["log", "log.1", "log.2"]);
  const files = ["log.2", "log.1", "log"].map((name) => readFileSync(join(place, name), "utf8"));
  expect(files.every(({ length }) => length <= 70)).toBe(true);
  const kept = files.join("");
  expect(kept).toBe(
    Array.from({ length: kept.length / 9 }, (_, index) => line(200 - kept.length / 9 + index)).join(""),
  );
  expect(kept.length).toBeGreaterThan(140);
});

it("goes on with what is there, for its owner alone to read from then on", () => {
  const path = join(folder(), "log");
  writeFileSync(path, line(1), { mode: 0o644 });
  new LogFile(path).write(line(2));
  expect(readFileSync(path, "utf8")).toBe(`${line(1)}${line(2)}`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it("turns no file where there is no room for another", () => {
  const place = folder();
  const log = new LogFile(join(place, "log"), { maxBytes: 18, kept: 2 });
  for (const number of [101, 102, 103, 104]) log.write(line(number));
  const before = ["log.1", "log"].map((name) => readFileSync(join(place, name), "utf8"));
  // As a disk that is full would refuse it.
  mkdirSync(join(place, "log.new"));
  for (const number of [105, 106, 107]) log.write(line(number));
  expect(["log.1", "log"].map((name) => readFileSync(join(place, name), "utf8"))).toEqual(before);
  expect(readdirSync(place).toSorted()).toEqual(["log", "log.1", "log.new"]);
  rmdirSync(join(place, "log.new"));
  log.write(line(108));
  expect(readFileSync(join(place, "log"), "utf8")).toContain("3 lines of this log were lost");
});

it("loses lines rather than stop the agent where it cannot be written, and says so afterwards", () => {
  const path = join(folder(), "log");
  mkdirSync(path);
  const log = new LogFile(path);
  log.write(line(1));
  log.write(line(2));
  rmdirSync(path);
  log.write(line(3));
  expect(readFileSync(path, "utf8")).toBe(`{"level":50,"msg":"2 lines of this log were lost"}\n${line(3)}`);
});

it("is where a daemon says what it does when KEYBOUND_LOG_FILE names it", async () => {
  const place = folder();
  const path = join(place, "log");
  const child = spawn(process.execPath, [AGENT, "run", "--state", join(place, "state")], {
    env: { ...process.env, KEYBOUND_LOG_FILE: path },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const said = () => (readdirSync(place).includes("log") ? readFileSync(path, "utf8") : "");
  await until(() => said().includes("waiting to be bound"), "a start", said);
  child.kill("SIGTERM");
  await once(child, "exit");
  expect(said()).toContain('"msg":"stopped"');
  expect(printed).toBe("");
});
