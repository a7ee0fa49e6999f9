// The program as people run it: options, exit codes, hints, claim codes beside a running relay, restarts and signals.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pinOf } from "../../protocol/pin.ts";
import { genesisOf, Tenant } from "../cast/tenant.ts";
import { Clock } from "../cast/clock.ts";
import { person } from "../cast/person.ts";
import { WireClient } from "../cast/wire-client.ts";

const MAIN = join(import.meta.dirname, "../../relay/main.ts");

let folder: string;
const running = new Set<ChildProcess>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keybound-relay-"));
});

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true, force: true });
});

type Run = { readonly child: ChildProcess; out: string; err: string; readonly ended: Promise<number | null> };

function run(...args: readonly string[]): Run {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"], cwd: folder });
  running.add(child);
  const ended = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  const started: Run = { child, out: "", err: "", ended };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (started.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (started.err += text));
  return started;
}

async function serving(...args: readonly string[]): Promise<Run & { readonly url: string }> {
  const started = run("serve", "--listen", "127.0.0.1:0", ...args);
  await expect.poll(() => started.out + started.err, { timeout: 15_000 }).toMatch(/"msg":"serving"/);
  const [, url] = /^listening on (ws:\/\/\S+)$/m.exec(started.out) ?? [];
  if (url === undefined) throw new Error(`no address in ${started.out}`);
  return Object.assign(started, { url });
}

function codeIn(out: string): string {
  return /^claim code: (([0-9A-Z]{5}-){3}[0-9A-Z]{5})$/m.exec(out)?.[1] ?? "";
}

describe("keybound-relay serve", () => {
  test("starts with no configuration, in a folder for its owner alone, and ends on SIGTERM with 0", async () => {
    const relay = await serving();
    expect(codeIn(relay.out)).not.toBe("");
    expect(statSync(join(folder, "keybound-relay")).mode & 0o777).toBe(0o700);
    const client = await WireClient.dial(relay.url);
    relay.child.kill("SIGTERM");
    expect(await client.closed).toBe(1001);
    expect(await relay.ended).toBe(0);
  });

  test("keeps tenants over a restart, prints no second code, and makes more beside a running relay", async () => {
    const tenant = new Tenant({ clock: Object.assign(new Clock(), { now: Date.now() }) });
    const first = await serving();
    const code = codeIn(first.out);
    const client = await WireClient.dial(first.url);
    await client.done({ type: "create-tenant", claim: code }, tenant.log);
    const made = run("claim");
    expect(await made.ended).toBe(0);
    const create = { type: "create-tenant", claim: codeIn(made.out) };
    await client.done(create, [genesisOf({ name: "Other" })]);
    first.child.kill("SIGKILL");
    await first.ended;
    const second = await serving();
    expect(codeIn(second.out)).toBe("");
    const again = await WireClient.dial(second.url);
    expect((await again.logIn(tenant, tenant.founder.signer, { role: "operator" })).header["type"]).toBe("welcome");
    for (const { err } of [first, second, made]) expect(err).not.toContain(code);
  });

  test("makes a code that resets one tenant, beside a running relay, and says what it does", async () => {
    const clock = Object.assign(new Clock(), { now: Date.now() });
    const tenant = new Tenant({ clock });
    const relay = await serving();
    const client = await WireClient.dial(relay.url);
    await client.done({ type: "create-tenant", claim: codeIn(relay.out) }, tenant.log);
    const made = run("claim", "--reset", pinOf(tenant.id).replaceAll("-", " ").toLowerCase());
    expect(await made.ended).toBe(0);
    expect(made.err).toContain(`take the place of ${pinOf(tenant.id)}`);
    const after = new Tenant({ clock, founder: person("Ada again", "admin"), epoch: 2, supersedes: [tenant.id] });
    await client.done({ type: "create-tenant", claim: codeIn(made.out), retires: tenant.id }, after.log);
    const again = run("claim", "--reset", pinOf(tenant.id));
    expect(await again.ended).toBe(1);
    expect(again.err).toContain(`${pinOf(after.id)} took its place`);
    for (const { err } of [relay, made]) expect(err).not.toContain(codeIn(made.out));
  });

  test("leaves a folder alone that another relay has, and takes it when that one was killed", async () => {
    const first = await serving();
    const second = run("serve", "--listen", "127.0.0.1:0");
    expect(await second.ended).toBe(1);
    expect(second.err).toMatch(/^error: another relay runs on \.\/keybound-relay\nhint: /);
    first.child.kill("SIGKILL");
    await first.ended;
    await serving();
  });

  test("says that no tenant has the pin that is to be reset", async () => {
    const made = run("claim", "--reset", pinOf(new Tenant().id));
    expect(await made.ended).toBe(1);
    expect(made.err).toMatch(/^error: no tenant here has the pin [-0-9A-Z]{29}\nhint: /);
    expect(made.out).toBe("");
  });

  test("says which port is taken", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const relay = run("serve", "--listen", `127.0.0.1:${port}`);
    expect(await relay.ended).toBe(1);
    expect(relay.err).toMatch(new RegExp(`^error: cannot listen on 127.0.0.1:${port}: EADDRINUSE\nhint: `));
    server.close();
  });

  test("says that its folder cannot be made", async () => {
    writeFileSync(join(folder, "file"), "");
    const relay = run("serve", "--listen", "127.0.0.1:0", "--state", "file/state");
    expect(await relay.ended).toBe(1);
    expect(relay.err).toMatch(/^error: cannot use the state folder file\/state: ENOTDIR\nhint: /);
  });

  test("says that its database is none", async () => {
    mkdirSync(join(folder, "keybound-relay"));
    writeFileSync(
      join(folder, "keybound-relay", "relay.db"),
      "this is no database, and is long enough to be read".repeat(99),
    );
    const relay = run("serve", "--listen", "127.0.0.1:0");
    expect(await relay.ended).toBe(1);
    expect(relay.err).toMatch(/^error: cannot use the database in \.\/keybound-relay: file is not a database\nhint: /);
  });

  test("says that a certificate cannot be read, and exits with 1", async () => {
    const relay = run("serve", "--tls-cert", "none.pem", "--tls-key", "none.pem");
    expect(await relay.ended).toBe(1);
    expect(relay.err).toMatch(/^error: cannot read none.pem: ENOENT\nhint: /);
  });

  test.each([
    [["serve", "--listen", "0.0.0.0:0", "--name", "a"], "0.0.0.0:0 is not loopback, and there is no certificate"],
    [["serve", "--listen", "0.0.0.0:0", "--behind-tls-proxy"], "nobody dials 0.0.0.0: the relay needs a name"],
    [["serve", "--listen", "here"], "here is no HOST:PORT"],
    [["serve", "--tls-cert", "a.pem"], "a certificate needs its key"],
    [["serve", "--retention-days", "3"], "3 is no whole number from 31 to 3650"],
    [["serve", "--loud"], "unknown option '--loud'"],
    [["claim", "--reset", "ADA"], "ADA is no pin"],
    [["sing"], "unknown command 'sing'"],
    [[], "Usage: keybound-relay"],
  ])("%j is misused", async (args, words) => {
    const relay = run(...args);
    expect(await relay.ended).toBe(2);
    expect(relay.err).toContain(words);
  });

  test("explains itself, with an example", async () => {
    const relay = run("serve", "--help");
    expect(await relay.ended).toBe(0);
    expect(relay.out).toMatch(/--behind-tls-proxy[^]*example:\n {2}\$ keybound-relay serve/);
  });
});
