// Jobs on Windows, as far as Wine can show them: the built agent under node.exe with its launcher, a real relay, real processes.
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import type { Device } from "../cast/device.ts";
import type { Overrides } from "../cast/statement.ts";
import type { Tenant } from "../cast/tenant.ts";
import { Desk, Estate } from "../e2e/estate.ts";
import { until } from "../e2e/program.ts";
import { AGENT_WORDS, STATE, Wine, type WineProgram } from "./wine.ts";

let estate: Estate;
let wine: Wine;
let tenant: Tenant;
let desk: Desk;
let device: Device;
let agent: WineProgram;

async function startAgent(): Promise<void> {
  agent = wine.agent("run");
  await agent.says(/"connected"/);
}

beforeAll(async () => {
  wine = await Wine.open();
  estate = await Estate.open();
  tenant = await estate.found("Acme");
  const bind = wine.agent("bind", Wine.ofLinux(estate.package(tenant)), "--trust", pinOf(tenant.id));
  if ((await bind.ended()) !== 0) throw new Error(`not bound: ${bind.said}`);
  await startAgent();
  desk = await Desk.open(estate, tenant);
  device = await desk.device();
});

afterAll(async () => {
  wine?.[Symbol.dispose]();
  await desk?.[Symbol.asyncDispose]();
  await estate?.[Symbol.asyncDispose]();
});

const NODE = "C:\\Program Files\\Keybound\\node.exe";
const POWERSHELL = "C:\\windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe";
const PRINT = "console.log(JSON.stringify(process.argv.slice(1)))";
const SHOW_ARGUMENTS = `"${NODE}" -e "${PRINT}" --`;

const program = (code: string, ...args: readonly string[]) => ({
  shell: "exec",
  source: undefined,
  args: [NODE, "-e", code, "--", ...args],
});

async function send(body: Overrides) {
  return await desk.send(device, "", { body: { shell: "cmd", ...body } });
}

async function ran(body: Overrides) {
  const receipt = await desk.receipt(device, await send(body));
  const { outcome, contained } = receipt;
  const texts = receipt.result === undefined ? [] : await desk.output(device, receipt);
  const text = (stream: string) =>
    Buffer.from(texts.find((kept) => kept.stream === stream)?.head ?? []).toString("utf8");
  return { outcome, contained, stdout: text("stdout"), stderr: text("stderr"), receipt };
}

/** A command that stays, told from every other by this number. */
let marks = 7_000_000 + (process.pid % 100_000) * 10;
function staying(): { readonly command: string; readonly mark: string } {
  const mark = `-n ${++marks}`;
  return { command: `ping ${mark} 127.0.0.1`, mark };
}

async function isThere(mark: string): Promise<void> {
  await until(() => wine.processesWith(mark).length > 0, `a process with ${mark}`);
}

function sourcesLeft(): readonly string[] {
  const folder = wine.path(`${STATE}\\jobs`);
  return existsSync(folder) ? readdirSync(folder) : [];
}

describe("a job for cmd", () => {
  it("is told by its exit code, and wholly ended", async () => {
    expect(await ran({ source: "exit 7\n" })).toMatchObject({ outcome: { type: "exited", code: 7 }, contained: "yes" });
  });

  it("keeps its streams apart", async () => {
    expect(await ran({ source: "echo out\necho err>&2\n" })).toMatchObject({ stdout: "out\r\n", stderr: "err\r\n" });
  });

  it("finds its labels though its lines came with line feeds alone", async () => {
    expect((await ran({ source: "goto end\necho skipped\n:end\necho reached\n" })).stdout).toBe("reached\r\n");
  });

  it("writes UTF-8, whatever it was given beyond ASCII", async () => {
    const env = [{ name: "WORDS", value: "Grüße, Žižek 雪" }];
    expect((await ran({ source: "echo %WORDS%, %~1\n", args: ["ñ"], env })).stdout).toBe("Grüße, Žižek 雪, ñ\r\n");
  });

  it("hands its arguments on to a program as they were signed", async () => {
    const args = ["a b", "plain", "", "x^&y|z<>", 'say "hi"', "C:\\end\\", "!bang!", "(a)", "a,b;c=d"];
    const { stdout } = await ran({ source: `${SHOW_ARGUMENTS} %*\n`, args });
    expect(JSON.parse(stdout)).toEqual(args);
  });

  it("finds its input closed unless some was signed, and then reads that", async () => {
    const source = "set /p line=\necho [%line%]\n";
    const stdin = Buffer.from("fed\r\n").toString("base64url");
    expect([(await ran({ source })).stdout, (await ran({ source, stdin })).stdout]).toEqual(["[]\r\n", "[fed]\r\n"]);
  });

  it("has nothing of the agent's environment, and what was signed", async () => {
    const { stdout } = await ran({ source: "set\n", env: [{ name: "SIGNED", value: "yes" }] });
    expect(stdout).toContain("SIGNED=yes\r\n");
    expect(stdout).not.toMatch(/^(KEYBOUND_LOG_LEVEL|USERPROFILE|NODE_OPTIONS)=/m);
  });

  it("leaves no source behind", async () => {
    await ran({ source: "echo secret\n" });
    expect(sourcesLeft()).toEqual([]);
  });
});

describe("a job that is a program", () => {
  it("gets its arguments as they were signed", async () => {
    const args = ["a b", "", '"', '\\"', "C:\\end\\", "C:\\a b\\", "%PATH%", "^&|", "\n", "雪", "\\\\\\", 'a"b c"\\'];
    expect(JSON.parse((await ran(program(PRINT, ...args))).stdout)).toEqual(args);
  });

  it("gets its folder, and the documented environment alone", async () => {
    const code =
      "console.log(process.cwd(), Object.keys(process.env).filter((name) => !/^WINE/.test(name)).sort().join())";
    const { stdout } = await ran({ ...program(code), cwd: "C:\\windows" });
    expect(stdout).toBe("C:\\windows ComSpec,PATH,PATHEXT,ProgramData,SystemDrive,SystemRoot,TEMP,TMP\n");
  });

  it("gets no handle but its three streams", async () => {
    const code =
      "for (const fd of [3, 4]) try { require('fs').fstatSync(fd); console.log('open', fd) } catch (e) { console.log(e.code) }";
    expect((await ran(program(code))).stdout).toBe("EBADF\nEBADF\n");
  });

  it("gets its input whole", async () => {
    const bytes = Buffer.alloc(300_000, "keybound ");
    const code = "let n = 0; process.stdin.on('data', (d) => (n += d.length)).on('end', () => console.log(n))";
    expect((await ran({ ...program(code), stdin: bytes.toString("base64url") })).stdout).toBe("300000\n");
  });

  it("has all of its output kept, however it comes", async () => {
    const { receipt } = await ran(program("for (let i = 0; i < 300; i++) process.stdout.write('x'.repeat(1000))"));
    expect(receipt.output).toEqual([expect.objectContaining({ stream: "stdout", size: 300_000, head: 300_000 })]);
  });

  it("is not started where it is no program, and the word says why", async () => {
    const args = ["C:\\Program Files\\Keybound\\keybound-agent.cjs"];
    expect((await ran({ shell: "exec", source: undefined, args })).outcome).toEqual({
      type: "not-started",
      error: "ENOEXEC",
    });
  });

  it("is not started in a folder that is not there", async () => {
    const { outcome, contained } = await ran({ ...program("1"), cwd: "C:\\nowhere" });
    expect([outcome, contained]).toEqual([
      { type: "not-started", error: expect.stringMatching(/^(ENOENT|ENOTDIR)$/) },
      "yes",
    ]);
  });

  it("is refused where it is a batch file, which cmd would take apart by other rules", async () => {
    const args = ["C:\\windows\\x.cmd", "&calc"];
    expect((await ran({ shell: "exec", source: undefined, args })).outcome).toMatchObject({
      type: "refused",
      code: "platform-lacks",
    });
  });
});

describe("the processes of a job", () => {
  it("that it left in the background are ended, and the receipt says so", async () => {
    const { command, mark } = staying();
    const { outcome, contained } = await ran({ source: `start /b ${command}\nexit 0\n` });
    expect([outcome, contained, wine.processesWith(mark)]).toEqual([{ type: "exited", code: 0 }, "yes", []]);
  });

  it("that it was to leave live on when it has ended by itself", async () => {
    const { command, mark } = staying();
    const { outcome, contained } = await ran({ source: `start /b ${command}\nexit 0\n`, leave: true });
    const left = wine.processesWith(mark);
    for (const pid of left) process.kill(pid, "SIGKILL");
    expect([outcome, contained, left.length]).toEqual([{ type: "exited", code: 0 }, "left", 1]);
  });

  it("are ended when they have written too much, and that is how it ended", async () => {
    const limits = { timeMs: 60_000, outputBytes: 1000, endAtOutputBytes: 20_000 };
    const { outcome, contained } = await ran({ source: ":again\necho again and again\ngoto again\n", limits });
    expect([outcome, contained]).toEqual([{ type: "output-limit", afterBytes: 20_000 }, "yes"]);
  });

  it("are started with the limits that were signed, none of which the receipt calls unenforced", async () => {
    const limits = { timeMs: 60_000, outputBytes: 1000, processes: 5, memoryBytes: 2 ** 30, priority: "low" };
    const { outcome, receipt } = await ran({ source: "exit 0\n", limits });
    expect([outcome, receipt.unenforced]).toEqual([{ type: "exited", code: 0 }, undefined]);
  });

  it("that were started as far from it as Windows lets them be are ended, too", async () => {
    const { command, mark } = staying();
    const code = `require('child_process').spawn('cmd.exe', ['/c', '${command}'], { detached: true, stdio: 'ignore' }).unref(); setTimeout(() => process.exit(), 1000)`;
    const args = [NODE, "-e", code];
    const { outcome, contained } = await ran({ shell: "exec", source: undefined, args });
    expect([outcome, contained, wine.processesWith(mark)]).toEqual([{ type: "exited", code: 0 }, "yes", []]);
  });

  it("are all ended at its time limit", async () => {
    const { command, mark } = staying();
    const limits = { timeMs: 1500, outputBytes: 1000 };
    const { outcome, contained } = await ran({ source: `start /b ${command}\n${command}\n`, limits });
    expect([outcome, contained, wine.processesWith(mark)]).toEqual([{ type: "timed-out", afterMs: 1500 }, "yes", []]);
  });

  it("are ended with the launcher, which the job's receipt tells of", async () => {
    const { command, mark } = staying();
    const job = await send({ source: `start /b ${command}\n${command}\n` });
    await isThere(mark);
    for (const pid of wine.processesWith("keybound-job-launcher.exe")) process.kill(pid, "SIGKILL");
    const { outcome, contained } = await desk.receipt(device, job);
    expect([outcome, contained]).toEqual([{ type: "signalled", signal: "SIGKILL" }, "unknown"]);
    await until(() => wine.processesWith(mark).length === 0, "the end of the job's processes");
  });

  it("are ended when the agent is stopped, and its receipt says by what", async () => {
    const { command, mark } = staying();
    const job = await send({ source: `start /b ${command}\n${command}\n` });
    await isThere(mark);
    agent.child.kill("SIGINT");
    expect((await desk.receipt(device, job)).outcome).toEqual({ type: "cancelled", by: "agent-stop" });
    expect([await agent.ended(), wine.processesWith(mark)]).toEqual([0, []]);
    await startAgent();
  });

  it("are ended with the agent, however that dies, and the job is lost", async () => {
    const { command, mark } = staying();
    const job = await send({ source: `start /b ${command}\n${command}\n` });
    await isThere(mark);
    agent.kill();
    await until(() => wine.processesWith(mark).length === 0, "the end of the job's processes");
    await startAgent();
    const { outcome, contained } = await desk.receipt(device, job);
    expect([outcome, contained, sourcesLeft()]).toEqual([{ type: "lost" }, "unknown", []]);
  });
});

describe("a job for a user", () => {
  it("who is logged on nowhere is refused, and not run as anybody else", async () => {
    const { outcome, contained, receipt } = await ran({
      source: "echo ran\n",
      user: { as: "user", name: "nobody-here" },
    });
    expect([outcome, contained, receipt.output]).toEqual([
      { type: "refused", code: "user-absent", detail: "nobody is logged on where the job was to run" },
      "yes",
      [],
    ]);
  });
});

// Wine has one session, the console's, and its user is the one whom the agent runs as.
describe("a job for whoever is at the console", () => {
  it("runs as that user, with what is that user's own in its environment", async () => {
    const { outcome, stdout } = await ran({ source: "set\n", user: { as: "console" } });
    expect(outcome).toEqual({ type: "exited", code: 0 });
    expect(stdout).toMatch(/^USERPROFILE=C:\\users\\/m);
    expect(stdout).not.toMatch(/^KEYBOUND_LOG_LEVEL=/m);
  });

  it("is wholly ended as any other", async () => {
    const { command, mark } = staying();
    const { contained } = await ran({ source: `start /b ${command}\nexit 0\n`, user: { as: "console" } });
    expect([contained, wine.processesWith(mark)]).toEqual(["yes", []]);
  });

  it("and one for each active session, of which Wine names none, is refused", async () => {
    expect((await ran({ source: "echo ran\n", user: { as: "sessions" } })).outcome).toMatchObject({
      code: "user-absent",
    });
  });
});

describe("the state folder", () => {
  it("is not taken over from somebody who made it before", async () => {
    const folder = wine.path("C:\\foreign\\state");
    mkdirSync(folder, { recursive: true });
    chownSync(folder, 1000, 1000);
    const bind = wine.start([...AGENT_WORDS, "bind", "C:\\no-package", "--state", "C:\\foreign\\state"]);
    expect(await bind.ended()).toBe(1);
    expect(bind.said).toMatch(/^keybound-agent: state-unwritable: .* belongs to somebody who is no administrator/);
  });

  it("is not taken with a file in it that is somebody else's", async () => {
    const state = "C:\\ProgramData\\planted\\state";
    const bind = () => wine.start([...AGENT_WORDS, "bind", "C:\\no-package", "--state", state]);
    const first = bind();
    await first.ended();
    expect(first.said).toMatch(/^keybound-agent: file-unreadable/);
    writeFileSync(wine.path(`${state}\\jobs`), "");
    chownSync(wine.path(`${state}\\jobs`), 1000, 1000);
    const second = bind();
    await second.ended();
    expect(second.said).toMatch(/^keybound-agent: state-unwritable: .* belongs to somebody who is no administrator/);
  });
});

// Wine has no PowerShell. These are programs of ours at its place, which hang as a broken one does.
describe("PowerShell", () => {
  const job = { shell: "powershell", source: "Start-Sleep 600", limits: { timeMs: 1500, outputBytes: 1000 } };

  it("that hangs before it has come to the script is told from a script that takes too long", async () => {
    wine.compile("silent.c", POWERSHELL);
    expect((await ran(job)).outcome).toEqual({ type: "not-started", error: "SHELL_SILENT" });
  });

  it("that has said something before has timed out", async () => {
    wine.compile("speaking.c", POWERSHELL);
    expect((await ran(job)).outcome).toEqual({ type: "timed-out", afterMs: 1500 });
  });

  it("that has begun, as the file beside its script says, has timed out", async () => {
    wine.compile("begun.c", POWERSHELL);
    expect((await ran(job)).outcome).toEqual({ type: "timed-out", afterMs: 1500 });
  });
});

describe("without its launcher", () => {
  it("an agent refuses jobs rather than run what it could not end", async () => {
    renameSync(wine.launcher, `${wine.launcher}.away`);
    const { outcome } = await ran({ source: "echo ran\n" });
    renameSync(`${wine.launcher}.away`, wine.launcher);
    expect(outcome).toEqual({
      type: "refused",
      code: "platform-lacks",
      detail: "no keybound-job-launcher.exe beside the agent's program",
    });
  });
});
