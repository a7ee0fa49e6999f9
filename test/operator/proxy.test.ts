// An operator's client behind a proxy: the real program, a real proxy, and a relay that ends its own TLS.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../agent/agent-process.ts";
import { SmallProxy } from "../agent/small-proxy.ts";
import { selfSigned } from "../cast/certificate.ts";
import { Tenant } from "../cast/tenant.ts";
import { Program } from "../e2e/program.ts";
import { House } from "../relay/house.ts";

const certificate = selfSigned("DNS:relay.test,IP:::1");

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "keybound-proxy-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Asks this relay for an organisation that it does not have; what the client says of it, and how it ended. */
async function asked(relay: string, env: Readonly<Record<string, string>>, options: readonly string[] = []) {
  const path = folder();
  const authority = join(path, "ca.pem");
  writeFileSync(authority, certificate.cert);
  const args = ["key", "create", "--relay", relay, "--pin", "9BBH4-CTDVB-2MQQ4-F2DCN-DF61S", "--name", "Bea"];
  const home = ["--home", join(path, "home"), "--acknowledge", "--no-recovery-file"];
  const program = new Program("operator", [...args, ...home, ...options], { NODE_EXTRA_CA_CERTS: authority, ...env });
  const code = await program.ended();
  return { code, said: program.stdout + program.stderr };
}

async function relayPort(): Promise<string> {
  const house = await House.empty(new Tenant(), { certificate, names: ["relay.test"] });
  onTestFinished(() => house[Symbol.asyncDispose]());
  return new URL(house.url).port;
}

test("a relay is asked through the proxy of the environment, with its password", async () => {
  const [port, proxy] = [await relayPort(), await SmallProxy.open({ wants: "ada:p w" })];
  const env = { https_proxy: `http://ada:p%20w@127.0.0.1:${proxy.port}` };
  expect((await asked(`wss://relay.test:${port}`, env)).said).toContain("pin-unknown");
  expect(proxy.asked).toEqual([`relay.test:${port}`]);
});

test("KEYBOUND_PROXY comes before every program's proxy", async () => {
  const [port, proxy, other] = [await relayPort(), await SmallProxy.open(), await SmallProxy.open()];
  const env = { HTTPS_PROXY: other.url, KEYBOUND_PROXY: proxy.url, NO_PROXY: "relay.test" };
  expect((await asked(`wss://relay.test:${port}`, env)).said).toContain("pin-unknown");
  expect(other.asked).toEqual([]);
});

test("a proxy that refuses is a fault of its own, without the password", async () => {
  const proxy = await SmallProxy.open({ wants: "ada:right" });
  const { code, said } = await asked("wss://relay.test:7600", {
    HTTPS_PROXY: `http://ada:wrong@127.0.0.1:${proxy.port}`,
  });
  expect(code).toBe(1);
  expect(said).toContain("proxy-refused");
  expect(said).toContain("407");
  expect(said).not.toContain("wrong");
});

test("a proxy that sends the password back is not repeated", async () => {
  const proxy = await SmallProxy.open();
  proxy.manner = "echo";
  const { said } = await asked("wss://relay.test:7600", { HTTPS_PROXY: `http://ada:secret@127.0.0.1:${proxy.port}` });
  expect(said).toMatch(/proxy-refused: .*: HTTP\/1\.1 403, through the proxy http:\/\/\*\*\*@/);
  expect([said.includes("secret"), said.includes(btoa("ada:secret")), said.includes("31m")]).toEqual([
    false,
    false,
    false,
  ]);
});

test("a proxy that says nothing is named when the time has passed", async () => {
  const proxy = await SmallProxy.open();
  proxy.manner = "hang";
  const { code, said } = await asked("wss://relay.test:7600", { HTTPS_PROXY: proxy.url });
  expect([code, said]).toEqual([1, expect.stringContaining(`through the proxy http://127.0.0.1:${proxy.port}`)]);
});

test("what is no proxy is said, and not repeated", async () => {
  const { code, said } = await asked("wss://relay.test:7600", { HTTPS_PROXY: "socks5://ada:secret@proxy:1080" });
  expect(code).toBe(1);
  expect(said).toContain("proxy-form");
  expect(said).not.toContain("secret");
});

test("--proxy comes before all others, and direct means none", async () => {
  const [port, proxy, other] = [await relayPort(), await SmallProxy.open(), await SmallProxy.open()];
  const relay = `wss://relay.test:${port}`;
  const env = { KEYBOUND_PROXY: other.url, HTTPS_PROXY: other.url };
  expect((await asked(relay, env, ["--proxy", proxy.url])).said).toContain("pin-unknown");
  expect((await asked(relay, env, ["--proxy", "direct"])).said).toMatch(/relay-unreachable.*directly: --proxy/);
  expect([proxy.asked.length, other.asked]).toEqual([1, []]);
});

test("--proxy that is none is said before anything is dialled", async () => {
  const { code, said } = await asked("wss://relay.test:7600", {}, ["--proxy", "socks5://ada:secret@proxy:1080"]);
  expect(code).toBe(1);
  expect(said).toContain("proxy-form");
  expect(said).not.toContain("secret");
});

test("a relay that is not reached is told of with the way that was tried", async () => {
  const proxy = await SmallProxy.open();
  proxy.manner = "refuse";
  const { said } = await asked("wss://relay.test:7600", { all_proxy: `http://ada:secret@127.0.0.1:${proxy.port}` });
  expect(said).toContain(`through the proxy http://***@127.0.0.1:${proxy.port} (all_proxy)`);
  expect(said).not.toContain("secret");
});

test("a proxy that has TLS itself is believed by the authorities of the environment", async () => {
  const [port, proxy] = [await relayPort(), await SmallProxy.open({ host: "::1", certificate })];
  const { said } = await asked(`wss://relay.test:${port}`, { HTTPS_PROXY: proxy.url });
  expect(said).toContain("pin-unknown");
  expect(proxy.asked).toEqual([`relay.test:${port}`]);
});

test("what --proxy said where the home was made leads to the relay from then on", async () => {
  const house = await House.empty(new Tenant({ clock: systemClock() }), { certificate, names: ["relay.test"] });
  onTestFinished(() => house[Symbol.asyncDispose]());
  const [proxy, path] = [await SmallProxy.open({ wants: "ada:secret" }), folder()];
  const [authority, passphrase, home] = [join(path, "ca.pem"), join(path, "passphrase"), join(path, "home")];
  writeFileSync(authority, certificate.cert);
  writeFileSync(passphrase, "granite otter quilt seven lagoon wizard", { mode: 0o600 });
  const run = async (...args: readonly string[]) => {
    const program = new Program("operator", [...args, "--home", home], { NODE_EXTRA_CA_CERTS: authority });
    return { code: await program.ended(), said: program.stdout + program.stderr };
  };
  const url = `http://ada:secret@127.0.0.1:${proxy.port}`;
  const relay = `wss://relay.test:${new URL(house.url).port}`;
  const who = [
    "--claim",
    house.relay.claimCode ?? "",
    "--org",
    "Acme",
    "--name",
    "Ada",
    "--passphrase-file",
    passphrase,
  ];
  const made = await run("init", "--relay", relay, ...who, "--acknowledge", "--no-recovery-file", "--proxy", url);
  expect(made).toMatchObject({ code: 0 });
  const before = proxy.asked.length;
  const shown = await run("status");
  expect(shown).toMatchObject({ code: 0, said: expect.stringContaining("Acme") });
  expect(proxy.asked.length).toBeGreaterThan(before);
  expect(made.said + shown.said).not.toContain("secret");
});
