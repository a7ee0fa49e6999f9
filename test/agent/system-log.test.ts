// Lines for the log of the whole machine: handed to a program that must be no danger to the agent. The program here is a script in
// logger(1)'s place; test/system/system-log.system.ts has the real one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SystemLog } from "../../agent/service/system-log.ts";
import { until } from "../e2e/program.ts";
import { folder } from "./bound.ts";

const AGENT = join(import.meta.dirname, "../../agent/main.ts");
const line = (level: number, msg: string) => `{"level":${level},"msg":"${msg}"}\n`;

/** A program that writes down what it was told and what it read, and then does what `then` says. */
function logger(then = "") {
  const place = folder();
  const [program, told] = [join(place, "logger"), join(place, "told")];
  const script = `#!/bin/sh\n{ echo "[$*]"; cat; } >>${place}/part.$$\ncat ${place}/part.$$ >>${told}\n${then}\n`;
  writeFileSync(program, script, { mode: 0o755 });
  const said = () => (existsSync(told) ? readFileSync(told, "utf8") : "");
  return { program, said };
}

const all = (least: number, program: string) => new SystemLog({ least, logger: program, pauseMs: 50 });

it("hands on each line under its priority, in order, from a level on", async () => {
  const { program, said } = logger();
  const log = all(40, program);
  for (const level of [50, 30, 40, 40, 60]) log.write(line(level, `of ${level}`));
  await until(() => said().split("\n").length > 7, "all lines", said);
  expect(said().split("\n")).toEqual([
    "[-t keybound-agent -p daemon.err]",
    `keybound-agent ${line(50, "of 50").trim()}`,
    "[-t keybound-agent -p daemon.warning]",
    `keybound-agent ${line(40, "of 40").trim()}`,
    `keybound-agent ${line(40, "of 40").trim()}`,
    "[-t keybound-agent -p daemon.crit]",
    `keybound-agent ${line(60, "of 60").trim()}`,
    "",
  ]);
});

it("hands over at its end what still waits, and waits for no program that hangs", async () => {
  const { program, said } = logger();
  const log = all(0, program);
  for (const level of [30, 30, 60]) log.write(line(level, `of ${level}`));
  log.end();
  expect(said()).toContain("[-t keybound-agent -p daemon.crit]");
  writeFileSync(program, "#!/bin/sh\nsleep 60\n", { mode: 0o755 });
  const hanging = all(0, program);
  for (const level of [30, 40, 50, 40, 50, 40, 50]) hanging.write(line(level, "x"));
  const start = performance.now();
  hanging.end();
  expect(performance.now() - start).toBeLessThan(10_000);
});

it("leaves lines out rather than wait or grow, and says how many", async () => {
  const { program, said } = logger();
  const log = all(0, program);
  for (let number = 0; number < 1_000; number++) log.write(line(30, `${number}`));
  await until(() => said().includes("lines are in its own file alone"), "the rest", said);
  const shown = said().match(/"msg"/g)?.length ?? 0;
  expect(said()).toContain(`keybound-agent ${1_000 - shown} lines are in its own file alone`);
  expect(shown).toBe(101);
});

it("cuts a long line between two characters", async () => {
  const { program, said } = logger();
  all(0, program).write(line(30, "ä".repeat(2_000)));
  await until(() => said().includes("..."), "a line", said);
  const [, text = ""] = said().split("\n");
  expect(Buffer.byteLength(text)).toBeLessThan(1_024);
  expect(text).toMatch(/ä\.\.\.$/);
});

it("does without a program that is not there, does not read, or fails", async () => {
  expect(() => all(0, "/nowhere/logger").write(line(50, "x"))).not.toThrow();
  const { program } = logger();
  writeFileSync(program, "#!/bin/sh\nexec 0<&-\nexit 1\n", { mode: 0o755 });
  const log = all(0, program);
  for (let number = 0; number < 100; number++) log.write(line(50, "y".repeat(900)));
  await new Promise((resolve) => setTimeout(resolve, 500));
});

it("a name that is no level is a mistake, and is said to be one", async () => {
  const child = spawn(process.execPath, [AGENT, "run", "--state", join(folder(), "state")], {
    env: { ...process.env, KEYBOUND_LOG_SYSTEM: "loud" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  expect(await once(child, "close")).toEqual([2, null]);
  expect(said).toContain("KEYBOUND_LOG_SYSTEM is loud");
});
