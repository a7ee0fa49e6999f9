// Files with a job, by the programs themselves: up over a relay that goes away in the middle, down to two devices, and used there.
import { createHash, randomBytes } from "node:crypto";
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAX_FILE_BYTES } from "../../protocol/limits.ts";
import { expectDone, MAIN, PASSPHRASE, type Ran, runProgram } from "../operator/house.ts";
import { Program, until } from "./program.ts";

const AGENT = join(import.meta.dirname, "../../agent/main.ts");
const folder = mkdtempSync(join(tmpdir(), "keybound-files-"));
const path = (name: string) => join(folder, name);
const passphrase = ["--passphrase-file", path("passphrase")];
const agents: ChildProcess[] = [];
let relay: Program;
let url = "";

const cli = (args: readonly string[], onStart?: (child: ChildProcess) => void): Promise<Ran> => {
  const at = args.indexOf("--");
  const place = at < 0 ? args.length : at;
  return runProgram(MAIN, [...args.slice(0, place), ...passphrase, ...args.slice(place)], {
    env: { KEYBOUND_HOME: path("home") },
    ...(onStart === undefined ? {} : { onStart }),
  });
};

async function startRelay(): Promise<void> {
  const listen = url === "" ? "127.0.0.1:0" : new URL(url).host;
  relay = new Program("relay", ["serve", "--state", path("relay"), "--listen", listen], {});
  const [, said] = await relay.says(/listening on (\S+)/);
  url = said ?? "";
}

async function startAgent(name: string, bind: readonly string[]): Promise<void> {
  mkdirSync(path(name), { mode: 0o700 });
  expectDone(await runProgram(AGENT, ["--state", path(name), "bind", ...bind], {}));
  agents.push(spawn(process.execPath, [AGENT, "--state", path(name), "run"], { stdio: "ignore" }));
}

const hex = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");

/** The most memory that a process has had, in MiB. */
const peakOf = (pid: number | undefined) =>
  Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);

/** A command, and the most memory that it had: most of it is the passphrase's, which is stretched in 256 MiB. */
async function watched(args: readonly string[]): Promise<{ readonly ran: Ran; readonly peak: number }> {
  let peak = 0;
  let watching: NodeJS.Timeout | undefined;
  const ran = await cli(args, ({ pid }) => {
    watching = setInterval(() => {
      if (existsSync(`/proc/${pid}/status`)) peak = Math.max(peak, peakOf(pid));
    }, 20);
  });
  clearInterval(watching);
  return { ran: expectDone(ran), peak };
}

let names: readonly string[] = [];

async function newestJob(): Promise<string> {
  const { stdout } = await runProgram(MAIN, ["jobs", "--json"], { env: { KEYBOUND_HOME: path("home") } });
  const [newest]: { job: string }[] = JSON.parse(stdout);
  return newest?.job ?? "";
}

beforeAll(async () => {
  writeFileSync(path("passphrase"), `${PASSPHRASE}\n`);
  await startRelay();
  const { stdout } = await new Program("relay", ["claim", "--state", path("relay")], {}).done();
  const claim = /claim code: (\S+)/.exec(stdout)?.[1] ?? "";
  const init = ["init", "--relay", url, "--claim", claim, "--org", "Acme", "--name", "Ada", "--acknowledge"];
  expectDone(await cli([...init, "--no-recovery-file"]));
  const made = expectDone(await cli(["package", "--out", path("acme.json"), "--json"]));
  const { pin }: { pin: string } = JSON.parse(made.stdout);
  for (const name of ["one", "two"]) await startAgent(name, [path("acme.json"), "--trust", pin]);
  const home = { env: { KEYBOUND_HOME: path("home") } };
  await until(async () => {
    const { stdout: listed } = await runProgram(MAIN, ["devices", "--pending", "--json"], home);
    const pending: unknown[] = JSON.parse(listed);
    return pending.length === 2;
  }, "two devices");
  expectDone(await cli(["run", "--all", "--", "true"]).catch(() => cli(["status"])));
  const { stdout: listed } = expectDone(await runProgram(MAIN, ["devices", "--json"], home));
  const devices: { name: string }[] = JSON.parse(listed);
  names = devices.map(({ name }) => name);
}, 120_000);

afterAll(async () => {
  for (const agent of agents) agent.kill("SIGKILL");
  await relay.end();
  rmSync(folder, { recursive: true, force: true });
});

describe("a file with a job", () => {
  test("is run from the job's own folder on every device, and uploaded once", async () => {
    writeFileSync(path("tool.sh"), "#!/bin/sh\necho tool $1 $(stat -c %a $0)\n", { mode: 0o755 });
    const ran = expectDone(
      await cli(["run", "--all", "--file", path("tool.sh"), "--", '"$KEYBOUND_FILES/tool.sh" works']),
    );
    expect(ran.stdout.match(/tool works 700/g)).toHaveLength(names.length);
    expect(ran.stderr.match(/uploaded .*tool\.sh/g)).toHaveLength(1);
  });

  test("is there again when the job is run again where it failed", async () => {
    const use = `test -e ${path("ready")} && cat "$KEYBOUND_FILES/tool.sh"`;
    const ran = await cli(["run", "--on", names[0] ?? "", "--file", path("tool.sh"), "--", use]);
    expect(ran.code).toBe(1);
    writeFileSync(path("ready"), "");
    const again = expectDone(await cli(["rerun", await newestJob(), "--failed", "--yes"]));
    expect(again.stdout).toContain("echo tool $1");
  });

  test("goes on when the relay is killed and comes back in the middle", async () => {
    const content = randomBytes(48 * 1024 * 1024);
    writeFileSync(path("large.bin"), content);
    const spec = `${path("large.bin")}:${path("placed.bin")}`;
    let child: ChildProcess | undefined;
    const running = cli(
      ["run", "--on", names[0] ?? "", "--file", spec, "--", `sha256sum ${path("placed.bin")}`],
      (started) => (child = started),
    );
    const database = path("relay/relay.db-wal");
    await until(
      () => existsSync(database) && statSync(path("relay/relay.db")).size + statSync(database).size > 8_000_000,
      "some of it",
    );
    await relay.end("SIGKILL");
    await startRelay();
    const ran = expectDone(await running);
    expect(child?.exitCode).toBe(0);
    expect(ran.stderr).toContain("the line to the relay was cut");
    expect(ran.stdout).toContain(hex(content));
  });

  test("of the largest size takes little memory anywhere", async () => {
    const content = Buffer.alloc(MAX_FILE_BYTES, "a line of a log that is long enough\n");
    writeFileSync(path("largest.bin"), content);
    const spec = `${path("largest.bin")}:${path("largest.placed")}`;
    const on = ["run", "--on", names[0] ?? ""];
    const without = await watched([...on, "--", "true"]);
    const { ran, peak } = await watched([...on, "--file", spec, "--", `sha256sum ${path("largest.placed")}`]);
    expect(ran.stdout).toContain(hex(content));
    const others = [relay.child.pid, ...agents.map(({ pid }) => pid)].map(peakOf);
    const words = `operator ${peak} (without a file ${without.peak}), relay and agents ${others.join(" ")}`;
    process.stderr.write(`peak RSS in MiB: ${words}\n`);
    expect(peak - without.peak).toBeLessThan(100);
    expect(Math.max(...others)).toBeLessThan(250);
  });

  test("comes back as it was", async () => {
    const content = readFileSync(path("large.bin"));
    const fetched = expectDone(await cli(["fetch", names[0] ?? "", path("placed.bin"), "--to", path("fetched.bin")]));
    expect(fetched.stdout.trim()).toBe(path("fetched.bin"));
    expect(Buffer.compare(readFileSync(path("fetched.bin")), content)).toBe(0);
    expect(fetched.stderr).toContain("of root");
  });

  test("comes back as it was of the largest size, with little memory anywhere", async () => {
    const at = path("largest.placed");
    const { peak } = await watched(["fetch", names[0] ?? "", at, "--to", path("largest.fetched")]);
    expect(hex(readFileSync(path("largest.fetched")))).toBe(hex(readFileSync(path("largest.bin"))));
    const others = [relay.child.pid, ...agents.map(({ pid }) => pid)].map(peakOf);
    process.stderr.write(`peak RSS in MiB: operator ${peak}, relay and agents ${others.join(" ")}\n`);
    expect(Math.max(...others)).toBeLessThan(250);
  });

  test("does not replace what is here, unless it is told to", async () => {
    writeFileSync(path("here.bin"), "mine");
    const args = ["fetch", names[0] ?? "", path("placed.bin"), "--to", path("here.bin")];
    const refused = await cli(args);
    expect([refused.code, refused.stderr, readFileSync(path("here.bin"), "utf8")]).toEqual([
      1,
      expect.stringContaining("file-exists"),
      "mine",
    ]);
    expectDone(await cli([...args, "--force"]));
    expect(statSync(path("here.bin")).size).toBe(48 * 1024 * 1024);
  });

  test("that is not there is said so", async () => {
    const { code, stderr } = await cli(["fetch", names[0] ?? "", path("absent.bin"), "--to", path("absent.here")]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("ENOENT")]);
    expect(existsSync(path("absent.here"))).toBe(false);
  });

  test("is fetched anew and not run again", async () => {
    const { code, stderr } = await cli(["rerun", await newestJob(), "--failed", "--yes"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("keybound fetch")]);
  });

  test("leaves nothing of it on the device but what was placed", () => {
    expect(
      ["one", "two"].flatMap((name) =>
        [`${name}/files`, `${name}.files`].flatMap((at) => (existsSync(path(at)) ? readdirSync(path(at)) : [])),
      ),
    ).toEqual([]);
  });
});
