// The doctor on real states, beside real processes: what it finds, what it says to do, and what it never tells.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import * as v from "valibot";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { CHECKS } from "../../agent/doctor/finding.ts";
import { keepNetwork } from "../../agent/connection/network.ts";
import { State } from "../../agent/state/state.ts";
import { toBase64url } from "../../protocol/bytes.ts";
import { writeFrame } from "../../protocol/frame.ts";
import { DEFAULT_POLICY } from "../../protocol/policy.ts";
import { person } from "../cast/person.ts";
import { selfSigned } from "../cast/certificate.ts";
import { digestOf } from "../cast/random.ts";
import { Tenant } from "../cast/tenant.ts";
import { Program, until } from "../e2e/program.ts";
import { House } from "../relay/house.ts";
import { AgentProcess, outcomeOf, systemClock } from "./agent-process.ts";
import { bindTo } from "./bound.ts";
import { InstalledVersions } from "./installed-versions.ts";
import { MACHINE } from "./machine.ts";
import { SmallProxy } from "./small-proxy.ts";
import { SmallRelay } from "./small-relay.ts";

let certificate: { readonly key: string; readonly cert: string };

beforeAll(() => {
  certificate = selfSigned("DNS:localhost,IP:127.0.0.1");
});

const Finding = v.strictObject({
  check: v.picklist(CHECKS),
  subject: v.exactOptional(v.string()),
  level: v.picklist(["ok", "warning", "failed"]),
  says: v.string(),
  hint: v.exactOptional(v.string()),
});
const Diagnosis = v.strictObject({
  version: v.literal(1),
  agent: v.string(),
  at: v.number(),
  ok: v.boolean(),
  findings: v.array(Finding),
});

async function doctor(agent: AgentProcess, ...args: readonly string[]) {
  const { code, stdout, stderr } = await agent.command("doctor", "--json", ...args);
  if (stderr !== "") throw new Error(stderr);
  const { ok, findings } = v.parse(Diagnosis, JSON.parse(stdout));
  const of = (check: (typeof CHECKS)[number]) => findings.filter((finding) => finding.check === check);
  return { code, ok, findings, of };
}

const tenantNow = () => new Tenant({ clock: systemClock() });
const aRelay = (url: string) => ({ deployment: { relays: [url] } });

describe("a device that is well", () => {
  test("is found to be so, beside its running agent, which goes on", async () => {
    const tenant = tenantNow();
    const house = await House.withTenant(tenant);
    onTestFinished(() => house[Symbol.asyncDispose]());
    const agent = new AgentProcess();
    agent.bound(tenant, aRelay(house.url));
    const running = agent.run();
    await running.says(/"connected"/);
    const { code, ok, findings, of } = await doctor(agent);
    expect(findings.filter(({ level }) => level === "failed")).toEqual([]);
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(of("service")[0]?.says).toBe(`an agent runs on this state, process ${running.child.pid}`);
    expect(of("relay").map(({ level, subject }) => [level, subject])).toEqual([
      ["ok", house.url],
      ["ok", house.url],
      ["ok", house.url],
    ]);
    expect(of("containment")[0]?.says).not.toContain("only while an agent runs");
    expect(running.isGone).toBe(false);
  });

  test("is asked about everything", async () => {
    const agent = new AgentProcess();
    agent.bound(tenantNow(), aRelay((await SmallRelay.open([])).url));
    const { findings } = await doctor(agent);
    expect([...new Set(findings.map(({ check }) => check))].toSorted()).toEqual([...CHECKS].toSorted());
  });

  test("is told of in words, with what to do beneath what is not well", async () => {
    const agent = new AgentProcess();
    const { stdout, code } = await agent.command("doctor");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAILED {3}binding {7}this device has no owner\n {23}-> keybound-agent bind/);
    expect(stdout).toMatch(/\d+ failed, \d+ warnings?\.\n$/);
  });
});

describe("binding and clock", () => {
  test("a device without a state is not bound, and no state is made", async () => {
    const agent = new AgentProcess();
    const program = new Program("agent", ["doctor", "--json", "--state", join(agent.folder, "none")], {});
    expect(await program.ended()).toBe(1);
    const { findings } = v.parse(Diagnosis, JSON.parse(program.stdout));
    expect(findings[0]).toMatchObject({ check: "binding", level: "failed", says: "this device has no owner" });
    expect(() => statSync(join(agent.folder, "none"))).toThrow("ENOENT");
  });

  test("a disk that was copied from another machine is named", async () => {
    const agent = new AgentProcess();
    bindTo(agent.state, tenantNow(), { machine: { ...MACHINE, machineId: "another" }, confirmed: true });
    expect((await doctor(agent)).of("binding")[0]).toMatchObject({ level: "failed" });
  });

  test("a clock before a time that was proved is named", async () => {
    const agent = new AgentProcess();
    agent.bound(tenantNow());
    agent.state.run("UPDATE owner SET floor = ?", Date.now() + 3 * 3_600_000);
    const [clock] = (await doctor(agent)).of("clock");
    expect(clock).toMatchObject({ level: "failed" });
    expect(clock?.says).toContain("2 hours behind");
  });

  test("a state of a newer agent is named", async () => {
    const agent = new AgentProcess();
    agent.state.run("PRAGMA user_version = 9999");
    expect((await doctor(agent)).of("binding")[0]?.says).toContain("another version");
  });

  test("a state that a version on trial has moved on is no damage", () => {
    const agent = new AgentProcess();
    agent.state.run("PRAGMA user_version = 9999");
    const on = new InstalledVersions();
    on.write("trial", "0.2.0 1\n");
    const program = join(on.program, "keybound-agent.ts");
    symlinkSync(join(import.meta.dirname, "../../agent/main.ts"), program);
    const words = [program, "doctor", "--json", "--state", agent.path];
    const { findings } = v.parse(
      Diagnosis,
      JSON.parse(spawnSync(process.execPath, words, { encoding: "utf8" }).stdout),
    );
    expect(findings[0]).toMatchObject({ check: "binding", level: "warning", hint: expect.stringMatching(/^wait/) });
    expect(findings.filter(({ check }) => check === "version").map(({ level }) => level)).toContain("warning");
  });

  test.runIf(process.getuid?.() === 0)("a user who may not read the state still hears what can be seen", async () => {
    const agent = new AgentProcess();
    const relay = await SmallRelay.open([]);
    const tenant = tenantNow();
    await agent.bind(tenant, agent.trusting(tenant), aRelay(relay.url));
    chmodSync(agent.folder, 0o755);
    const { findings } = v.parse(Diagnosis, JSON.parse(await doctorAsNobody(agent.path)));
    expect(findings[0]).toMatchObject({ check: "binding", level: "warning" });
    expect(findings.filter(({ check }) => check === "relay").map(({ level }) => level)).toEqual(["ok", "ok", "failed"]);
  });
});

/** What it prints where it runs as a user without any right to the state. */
async function doctorAsNobody(state: string): Promise<string> {
  const main = join(import.meta.dirname, "../../agent/main.ts");
  const child = spawn(process.execPath, [main, "doctor", "--json", "--state", state], {
    uid: 65_534,
    gid: 65_534,
    cwd: "/",
  });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  await once(child, "close");
  return said;
}

const DAY = 86_400_000;

/** Two operators, of whom these vouched so long ago. */
async function freshness(agoMs: readonly [number, number]) {
  const tenant = tenantNow();
  const bea = person("Bea", "operator");
  tenant.add(bea);
  const agent = new AgentProcess();
  agent.bound(tenant);
  // As a key that was admitted long ago: the key's own admission is a word, too.
  const kept = String(agent.state.get("SELECT key_state FROM owner")?.["key_state"]);
  agent.state.run("UPDATE owner SET key_state = ?", kept.replaceAll(/"admittedAt":\d+/g, '"admittedAt":0'));
  agent.state.run("DELETE FROM vouch");
  for (const [n, { operator }] of tenant.state.operators.entries())
    agent.state.run("INSERT INTO vouch VALUES (?, ?)", operator, Date.now() - (agoMs[n] ?? 0));
  return (await doctor(agent)).of("key-log").at(-1);
}

describe("key log", () => {
  test("says until when jobs run if nobody is heard from", async () => {
    const { maxAgeMs } = DEFAULT_POLICY.freshness;
    const found = await freshness([DAY, 2 * DAY]);
    const end = new Date(Date.now() - DAY + maxAgeMs).toISOString().slice(0, 10);
    expect(found?.level).toBe("ok");
    expect(found?.says).toContain(`the last job runs on ${end}`);
  });

  test("warns when the one who vouched last can sign nothing alone", async () => {
    expect(await freshness([DAY, 365 * DAY])).toMatchObject({ level: "warning" });
  });

  test("fails when nobody vouched within the policy's time", async () => {
    expect(await freshness([365 * DAY, 365 * DAY])).toMatchObject({ level: "failed" });
  });
});

describe("files and disk", () => {
  test("a state folder that others can enter is named, with the command that mends it", async () => {
    const agent = new AgentProcess();
    chmodSync(agent.path, 0o755);
    expect((await doctor(agent)).of("permissions")).toMatchObject([
      { level: "failed", hint: `chmod 700 ${agent.path}` },
    ]);
  });

  test("a database that others can read is named", async () => {
    const agent = new AgentProcess();
    chmodSync(join(agent.path, "state.db"), 0o644);
    expect((await doctor(agent)).of("permissions")[0]?.hint).toBe(`chmod 600 ${join(agent.path, "state.db")}`);
  });

  test("a folder above it that others can change is named", async () => {
    const agent = new AgentProcess();
    chmodSync(agent.folder, 0o777);
    expect((await doctor(agent)).of("permissions")[0]?.says).toContain("above the state folder");
  });
});

describe("room", () => {
  test("an outbox that is nearly full is told of", async () => {
    const agent = new AgentProcess();
    agent.bound(tenantNow());
    agent.state.write("fill", () => {
      for (let seq = 1; seq <= 17_000; seq++)
        agent.state.run(
          "INSERT INTO receipt (seq, id, job, bytes, time, stored) VALUES (?, ?, 'job', x'00', 0, 0)",
          seq,
          `id ${seq}`,
        );
    });
    expect((await doctor(agent)).of("room")[0]).toMatchObject({ level: "warning" });
  });
});

async function relayOf(url: string, network: Parameters<typeof keepNetwork>[1] = {}) {
  const agent = new AgentProcess();
  agent.bound(tenantNow(), aRelay(url));
  keepNetwork(agent.path, network);
  return (await doctor(agent)).of("relay");
}

describe("the way to a relay", () => {
  test("a name that nobody has ends at the name", async () => {
    const found = await relayOf("wss://relay.invalid:7600");
    expect(found).toMatchObject([{ level: "failed", subject: "wss://relay.invalid:7600" }]);
    expect(found[0]?.says).toMatch(/^name: relay.invalid is not found/);
  });

  test("a port that nobody listens on ends at the line", async () => {
    const relay = await SmallRelay.open([]);
    const { url } = relay;
    relay.close();
    expect((await relayOf(url)).at(-1)?.says).toMatch(
      /^line: 127.0.0.1 port \d+ does not take a connection: ECONNREFUSED/,
    );
  });

  test("a relay of an unknown authority ends at TLS, and with the authority it is well", async () => {
    const house = await House.empty(tenantNow(), { certificate });
    onTestFinished(() => house[Symbol.asyncDispose]());
    const last = (await relayOf(house.url)).at(-1);
    expect(last).toMatchObject({ level: "failed" });
    expect(last?.hint).toContain("keybound-agent network --ca FILE");
    const agent = new AgentProcess();
    const ca = join(agent.folder, "ca.pem");
    writeFileSync(ca, certificate.cert);
    const believed = (await relayOf(house.url, { ca })).at(-1);
    expect(believed?.says).toMatch(
      /^hello: TLSv1.3, certificate by keybound test until \d{4}-\d\d-\d\d; its clock is (ours|\d second)/,
    );
    expect(believed).toMatchObject({
      level: "warning",
      hint: "its certificate ends soon: tell whoever runs the relay",
    });
  });

  test("which proxy counts is said with who named it, and without its password", async () => {
    const agent = new AgentProcess();
    agent.bound(tenantNow(), aRelay("ws://127.0.0.1:9"));
    expect((await doctor(agent)).of("proxy")[0]?.says).toMatch(/^direct: nothing names a proxy; the first counts of/);
    keepNetwork(agent.path, { proxy: "http://ada:secret@127.0.0.1:9" });
    const [found] = (await doctor(agent)).of("proxy");
    expect(found).toMatchObject({ level: "ok" });
    expect(found?.says).toMatch(/^http:\/\/\*\*\*@127.0.0.1:9 \(setting\)/);
  });

  test("a proxy that refuses is named, without its password", async () => {
    const proxy = await SmallProxy.open({ wants: "ada:right" });
    const found = await relayOf("wss://relay.test:7600", { proxy: `http://ada:wr0ng@127.0.0.1:${proxy.port}` });
    expect(found.map(({ level }) => level)).toEqual(["ok", "failed"]);
    expect(found[1]?.says).toContain("407");
    expect(JSON.stringify(found)).not.toContain("wr0ng");
  });

  test("a server that takes connections and says nothing is given up", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void silent.close());
    await until(() => silent.listening, "a server");
    const address = silent.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    expect((await relayOf(`ws://127.0.0.1:${port}`)).at(-1)).toMatchObject({ level: "failed" });
  });

  test("what answers and is no relay is named", async () => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    onTestFinished(() => server.close());
    server.on("connection", (socket) => socket.send("\u001b[2J hello"));
    await until(() => server.address() !== null, "a server");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const last = (await relayOf(`ws://127.0.0.1:${port}`)).at(-1);
    expect(last).toMatchObject({ level: "failed" });
    expect(last?.says).not.toContain("\u001b");
  });

  test("a relay whose clock differs is told of", async () => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    onTestFinished(() => server.close());
    const time = Date.now() + 5 * 3_600_000;
    const hello = { type: "hello", version: 1, challenge: digestOf("x"), channel: false, time };
    server.on("connection", (socket) => socket.send(writeFrame(hello)));
    await until(() => server.address() !== null, "a server");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    expect((await relayOf(`ws://127.0.0.1:${port}`)).at(-1)?.says).toContain("4 hours ahead of ours");
  });
});

describe("the support bundle", () => {
  const SOURCE = "echo sourcesecret\n";
  const OUTPUT = "sourcesecret";

  test("has no secret of the state in it, in no usual spelling", async () => {
    const tenant = tenantNow();
    const relay = await SmallRelay.open([tenant]);
    const agent = new AgentProcess();
    const secret = new Uint8Array(32).fill(0x5a);
    agent.bound(tenant, { ...aRelay(relay.url), token: { token: toBase64url(new Uint8Array(16).fill(0x5b)), secret } });
    keepNetwork(agent.path, { proxy: "http://ada:pr0xypass@127.0.0.1:9" });
    const running = agent.run();
    await until(() => relay.devices.length > 0, "a login");
    await outcomeOf(relay, agent.device, { tenant, body: { source: SOURCE } });
    const path = "/nonexistent/pathsecret";
    await outcomeOf(relay, agent.device, { tenant, body: { shell: "exec", source: undefined, args: [path] } });
    const file = join(agent.folder, "bundle.json");
    await agent.command("doctor", "--bundle", file);
    await running.end();
    const bundle = readFileSync(file, "utf8");
    for (const spelling of [...spellings(agent.state), "pr0xypass", OUTPUT, "pathsecret"])
      expect(bundle).not.toContain(spelling);
    expect(JSON.parse(bundle)).toMatchObject({ version: 1, status: { bound: true }, doctor: { version: 1 } });
    expect(bundle).toContain('"type": "finished"');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("is never written over a file that is there", async () => {
    const agent = new AgentProcess();
    const file = join(agent.folder, "bundle.json");
    writeFileSync(file, "precious");
    const { code, stderr } = await agent.command("doctor", "--bundle", file);
    expect(code).toBe(1);
    expect(stderr).toContain("file-unwritable");
    expect(readFileSync(file, "utf8")).toBe("precious");
  });

  test("is written for a device without an owner, too", async () => {
    const agent = new AgentProcess();
    const file = join(agent.folder, "bundle.json");
    await agent.command("doctor", "--bundle", file);
    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ status: { bound: false } });
  });
});

/** Every blob of the state but public statements' ids, as base64, base64url, hex, and each half of it. */
function spellings(state: State): readonly string[] {
  const tables = state.all("SELECT name FROM sqlite_schema WHERE type = 'table'").map(({ name }) => String(name));
  const rows = tables.flatMap((table) => state.all(`SELECT * FROM ${table}`));
  const blobs = rows.flatMap((row) =>
    Object.values(row).flatMap((value) => (value instanceof Uint8Array ? [value] : [])),
  );
  if (!blobs.some((blob) => blob.length === 32)) throw new Error("the state has no seed");
  return blobs
    .filter((blob) => blob.length >= 16)
    .flatMap((blob) => [toBase64url(blob), blob.toBase64(), blob.toHex(), toBase64url(blob.slice(0, 24))]);
}
