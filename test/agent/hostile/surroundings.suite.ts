// What somebody put into the environment around the agent: none of it reaches a job, and the launcher keeps it from the agent.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { jobFor } from "../../cast/job.ts";
import { Tenant } from "../../cast/tenant.ts";
import { Program, until } from "../../e2e/program.ts";
import { AgentProcess, systemClock } from "../agent-process.ts";
import { folder } from "../bound.ts";
import { SmallRelay } from "../small-relay.ts";

const ROOT = join(import.meta.dirname, "../../..");

it("no variable of the agent's reaches a job, and none of them runs anything in it", { timeout: 60_000 }, async () => {
  const acme = new Tenant({ clock: systemClock() });
  const relay = await SmallRelay.open([acme]);
  const agent = new AgentProcess();
  agent.bound(acme, { deployment: { relays: [relay.url] } });
  const { device } = agent;
  const [trap, sprung, told] = ["trap", "sprung", "told"].map((name) => join(agent.folder, name));
  if (trap === undefined || sprung === undefined || told === undefined) throw new Error("no paths");
  writeFileSync(trap, `echo sprung > ${sprung}\n`);
  const surroundings = {
    BASH_ENV: trap,
    ENV: trap,
    LD_PRELOAD: join(agent.folder, "no-such-library.so"),
    PYTHONPATH: agent.folder,
    PYTHONSTARTUP: trap,
    PERL5OPT: "-Mno_such_module",
    NODE_OPTIONS: "--no-warnings",
    ComSpec: trap,
    PATH: `${agent.folder}:${process.env["PATH"]}`,
    SURROUNDING: "yes",
  };
  const program = new Program("agent", ["run", "--state", agent.path], surroundings);
  onTestFinished(() => void program.end("SIGKILL"));
  await until(() => relay.devices.length === 1, "a login");
  const source = `{ env; python3 -c 'import os; print(os.environ)'; perl -e 1; } > ${told}.new 2>&1; mv ${told}.new ${told}`;
  const job = jobFor({ tenant: acme, devices: [device], word: "surroundings", body: { shell: "bash", source } });
  const { wrap, body } = job.sealedFor(device);
  relay.push(device.id, { type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]);
  await until(() => existsSync(told), "what the job was told");
  const text = readFileSync(told, "utf8");
  const names = [
    ...Object.keys(surroundings).filter((name) => name !== "PATH"),
    agent.folder,
    "no_such_module",
    "ld.so",
  ];
  expect({ reached: names.filter((name) => text.includes(name)), sprung: existsSync(sprung) }).toEqual({
    reached: [],
    sprung: false,
  });
});

it("the launcher keeps NODE_OPTIONS from the agent", () => {
  const place = folder();
  const [trap, sprung] = [join(place, "trap.cjs"), join(place, "sprung")];
  writeFileSync(trap, `require("node:fs").appendFileSync(${JSON.stringify(sprung)}, process.argv.join(" ") + "\\n")`);
  const options = { env: { ...process.env, NODE_OPTIONS: `--require ${trap}` }, encoding: "utf8" } as const;
  const { stdout } = spawnSync(process.execPath, [join(ROOT, "bin/keybound-agent"), "--version"], options);
  expect(stdout).toMatch(/^keybound-agent /);
  // The launcher itself is a program of Node's: that one nobody can keep it from.
  expect(readFileSync(sprung, "utf8")).not.toContain("main.ts");
});
