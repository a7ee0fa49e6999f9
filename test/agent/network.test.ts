// Reaching a relay through a proxy that is really there, over TLS that the relay ends itself, and by what was set where.
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { DIRECTLY, keepNetwork, type Network, networkOf } from "../../agent/connection/network.ts";
import { openLog } from "../../agent/service/log.ts";
import { RelayConnection } from "../../agent/connection/relay-connection.ts";
import { lineTo } from "../../agent/connection/relay-line.ts";
import { SCHEMA_VERSION } from "../../agent/state/schema.ts";
import { stayConnected } from "../../agent/connection/relay-link.ts";
import { proxyWords } from "../../protocol/proxy-choice.ts";
import { selfSigned } from "../cast/certificate.ts";
import { device } from "../cast/device.ts";
import { Tenant } from "../cast/tenant.ts";
import { WireClient } from "../cast/wire-client.ts";
import { Program, until } from "../e2e/program.ts";
import { House } from "../relay/house.ts";
import { AgentProcess, systemClock } from "./agent-process.ts";
import { folder } from "./bound.ts";
import { SmallProxy } from "./small-proxy.ts";

const acme = new Tenant();
const USER = "us@er:p:w%";
const TYPED = "us%40er:p%3Aw%25";
let certificate: { readonly key: string; readonly cert: string };

beforeAll(() => {
  certificate = selfSigned("DNS:relay.test,DNS:localhost,IP:127.0.0.1,IP:::1");
});

/** A relay with TLS of its own that knows itself as relay.test, a name that no resolver has. */
async function tlsHouse(tenant = acme, host = "127.0.0.1"): Promise<House> {
  const house = await House.empty(tenant, { certificate, listen: { host, port: 0 }, names: ["relay.test", host] });
  onTestFinished(() => house[Symbol.asyncDispose]());
  const client = await WireClient.dial(house.url, { ca: certificate.cert });
  const [genesis, ...later] = tenant.log;
  if (genesis === undefined) throw new Error("a tenant without a log");
  await client.done({ type: "create-tenant", claim: house.relay.claimCode ?? "" }, [genesis]);
  await client.logIn(tenant, tenant.founder.signer, { role: "operator" });
  for (const entry of later) await client.done({ type: "append", log: "key" }, [entry]);
  await client.close();
  return house;
}

const portOf = (house: House) => new URL(house.url).port;

function through(url: string, ca: string | undefined = certificate.cert): Network {
  return { proxy: { type: "proxy", url, noProxy: "", from: "command line" }, ca };
}

/** `open` where the relay took the login, else why the connection closed. */
async function dial(relay: string, network: Network): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const connection = new RelayConnection(
    relay,
    { tenant: acme.id, signer: device("web1").signer },
    { onOpen: () => resolve("open"), onFrame: () => undefined, onClose: ({ text }) => resolve(text) },
    () => acme.clock.now,
    lineTo(relay, network),
  );
  const answer = await promise;
  connection.close("the test is over");
  return answer;
}

describe("through a proxy", () => {
  test("a login is taken, bound to the TLS connection and to the name as dialled, which only the proxy can resolve", async () => {
    const [house, proxy] = [await tlsHouse(), await SmallProxy.open()];
    const relay = `wss://relay.test:${portOf(house)}`;
    expect(await dial(relay, through(proxy.url))).toBe("open");
    expect(proxy.asked).toEqual([`relay.test:${portOf(house)}`]);
  });

  test("user and password reach a proxy that asks for them, odd characters and all", async () => {
    const [house, proxy] = [await tlsHouse(), await SmallProxy.open({ wants: USER })];
    const relay = `wss://relay.test:${portOf(house)}`;
    expect(await dial(relay, through(`http://${TYPED}@127.0.0.1:${proxy.port}`))).toBe("open");
  });

  test("a proxy that wants a password and gets none is named, with what it said", async () => {
    const proxy = await SmallProxy.open({ wants: USER });
    expect(await dial("wss://relay.test:7600", through(proxy.url))).toContain("407");
  });

  test("a proxy that refuses is named without its password", async () => {
    const proxy = await SmallProxy.open();
    proxy.manner = "refuse";
    const reason = await dial("wss://relay.test:7600", through(`http://${TYPED}@127.0.0.1:${proxy.port}`));
    expect(reason).toContain("HTTP/1.1 403");
    expect(reason).not.toMatch(/p%3Aw|p:w|us%40er/);
  });

  test("a proxy that sends the password back is not repeated", async () => {
    const proxy = await SmallProxy.open();
    proxy.manner = "echo";
    const reason = await dial("wss://relay.test:7600", through(`http://${TYPED}@127.0.0.1:${proxy.port}`));
    expect(reason).toMatch(/HTTP\/1\.1 403$/);
    expect(reason).not.toMatch(/Basic/);
  });

  test("a proxy that is not there is named", async () => {
    const proxy = await SmallProxy.open();
    const { url } = proxy;
    proxy.close();
    expect(await dial("wss://relay.test:7600", through(url))).toContain("ECONNREFUSED");
  });

  test("a proxy that says nothing is left after a time limit, and nothing of it stays open", async () => {
    const proxy = await SmallProxy.open();
    proxy.manner = "hang";
    const line = lineTo("wss://relay.test:7600", through(proxy.url));
    const socket = new WebSocket("wss://relay.test:7600", { ...line, handshakeTimeout: 300 });
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.on("error", (error) => resolve(error.message));
    expect(await promise).toContain("timed out");
    line.agent?.destroy();
    await until(() => proxy.connections === 0, "the end of the connection to the proxy");
  });

  test("the certificate is the relay's own, for the name as dialled", async () => {
    const [house, proxy] = [await tlsHouse(), await SmallProxy.open()];
    expect(await dial(`wss://other.test:${portOf(house)}`, through(proxy.url))).toContain("other.test");
  });

  test("hosts of NO_PROXY are dialled directly", async () => {
    const [house, proxy] = [await tlsHouse(), await SmallProxy.open()];
    const env = { HTTPS_PROXY: proxy.url, NO_PROXY: "localhost,127.0.0.1" };
    const network = { ...networkOf(folder(), env), ca: certificate.cert };
    expect(await dial(house.url, network)).toBe("open");
    expect(proxy.asked).toEqual([]);
  });

  test.each(["127.0.0.1", "::1"])(
    "a proxy at %s that has TLS itself is believed by the authority set here",
    async (host) => {
      const [house, proxy] = [await tlsHouse(), await SmallProxy.open({ host, certificate })];
      expect(proxy.url).toMatch(/^https:/);
      const relay = `wss://relay.test:${portOf(house)}`;
      expect(await dial(relay, through(proxy.url))).toBe("open");
      expect(proxy.asked).toEqual([`relay.test:${portOf(house)}`]);
    },
  );

  test("a proxy that has TLS itself is not believed once its authority was taken back", async () => {
    const [house, proxy] = [await tlsHouse(), await SmallProxy.open({ certificate })];
    const relay = `wss://relay.test:${portOf(house)}`;
    expect(await dial(relay, through(proxy.url))).toBe("open");
    expect(await dial(relay, { ...through(proxy.url), ca: undefined })).toMatch(/self-signed certificate/);
  });

  test("a proxy that has an address of IPv6 alone is asked", async () => {
    const [house, proxy] = [await tlsHouse(), await SmallProxy.open({ host: "::1", wants: USER })];
    const relay = `wss://relay.test:${portOf(house)}`;
    expect(await dial(relay, through(proxy.url.replace("//", `//${TYPED}@`)))).toBe("open");
  });

  test("ALL_PROXY counts, and a network of NO_PROXY is dialled directly", async () => {
    const [house, proxy] = [await tlsHouse(), await SmallProxy.open()];
    const asked = (env: Readonly<Record<string, string>>) =>
      dial(house.url, { ...networkOf(folder(), { ALL_PROXY: proxy.url, ...env }), ca: certificate.cert });
    expect(await asked({ NO_PROXY: "127.0.0.0/8" })).toBe("open");
    expect(proxy.asked).toEqual([]);
    expect(await asked({ no_proxy: "127.0.0.0/30:1,10.0.0.0/8" })).toBe("open");
    expect(proxy.asked).toHaveLength(1);
  });

  test("a relay without TLS is dialled directly", async () => {
    const [house, proxy] = [await House.withTenant(acme), await SmallProxy.open()];
    onTestFinished(() => house[Symbol.asyncDispose]());
    expect(await dial(house.url, through(proxy.url))).toBe("open");
    expect(proxy.asked).toEqual([]);
  });
});

const nothing = () => undefined;

test("an agent that is asked to stop while the system is asked for its proxy dials nobody", async () => {
  let dialled = 0;
  const server = createServer(() => dialled++).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await until(() => server.listening, "a server");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const [asked, stopping] = [Promise.withResolvers<Network>(), new AbortController()];
  const ended = stayConnected(
    {
      relays: [`ws://127.0.0.1:${port}`],
      identity: { tenant: acme.id, signer: device("web1").signer },
      events: { onOpen: nothing, onFrame: nothing, onClose: nothing, onState: nothing },
      network: () => asked.promise,
      now: () => acme.clock.now,
      draw: () => 0,
      log: openLog("silent"),
    },
    stopping.signal,
  );
  stopping.abort();
  asked.resolve(DIRECTLY);
  await ended;
  expect(dialled).toBe(0);
});

describe("certificates and addresses", () => {
  test("a relay whose authority nobody named is not believed", async () => {
    const house = await tlsHouse();
    expect(await dial(house.url, DIRECTLY)).toMatch(/self-signed certificate/);
  });

  test("a relay that has an address of IPv6 alone is reached", async () => {
    const house = await tlsHouse(acme, "::1");
    expect(house.url).toMatch(/^wss:\/\/\[::1\]:/);
    expect(await dial(house.url, { proxy: undefined, ca: certificate.cert })).toBe("open");
  });

  test("a relay that has an address of IPv6 alone is reached without TLS", async () => {
    const house = await House.withTenant(acme, { listen: { host: "::1", port: 0 } });
    onTestFinished(() => house[Symbol.asyncDispose]());
    expect(await dial(house.url, DIRECTLY)).toBe("open");
  });
});

const urlOf = ({ proxy }: Network) => (proxy?.type === "proxy" ? proxy.url : undefined);

describe("what was set where", () => {
  const ENV = { HTTPS_PROXY: "http://env:1" };

  test("the command line comes before the setting, and that before the environment", () => {
    const path = folder();
    expect(urlOf(networkOf(path, ENV))).toBe("http://env:1/");
    keepNetwork(path, { proxy: "http://kept:2" });
    expect(urlOf(networkOf(path, ENV))).toBe("http://kept:2/");
    expect(urlOf(networkOf(path, ENV, { proxy: "http://typed:3" }))).toBe("http://typed:3/");
  });

  test("direct means no proxy even where the environment names one, until it is taken back", () => {
    const path = folder();
    keepNetwork(path, { proxy: "direct" });
    expect(urlOf(networkOf(path, ENV))).toBeUndefined();
    keepNetwork(path, { proxy: "none" });
    expect(urlOf(networkOf(path, ENV))).toBe("http://env:1/");
  });

  test("lower case comes first in the environment, as other programs have it", () => {
    expect(urlOf(networkOf(folder(), { ...ENV, https_proxy: "http://lower:4" }))).toBe("http://lower:4/");
  });

  test("the setting can be read by its owner alone", () => {
    const path = folder();
    keepNetwork(path, { proxy: "http://u:p@kept:2" });
    expect(statSync(join(path, "network.json")).mode & 0o777).toBe(0o600);
  });

  test("certificates are kept as they are: their file may go", () => {
    const [path, file] = [folder(), join(folder(), "ca.pem")];
    writeFileSync(file, certificate.cert);
    keepNetwork(path, { ca: file });
    writeFileSync(file, "gone");
    expect(networkOf(path, {}).ca).toContain("BEGIN CERTIFICATE");
  });

  test.each(["socks5://proxy:1080", "proxy", "http://us:%zz@proxy:1", "http://proxy/path", "se cret"])(
    "%s is refused without being repeated",
    (proxy) => {
      const attempt = () => networkOf(folder(), { HTTPS_PROXY: proxy });
      expect(attempt).toThrow(/^network-form: HTTPS_PROXY is no http:\/\/\[user:password@\]host:port$/);
    },
  );

  test("a file that has no certificate is refused", () => {
    const file = join(folder(), "ca.pem");
    writeFileSync(file, "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
    expect(() => keepNetwork(folder(), { ca: file })).toThrow(/^network-form/);
  });

  test("what people read has no credentials in it", () => {
    const words = proxyWords({ type: "proxy", url: `http://${TYPED}@proxy:3128/`, noProxy: "", from: "setting" });
    expect(words).toBe("http://***@proxy:3128 (setting)");
  });
});

describe("as real processes", () => {
  test("an agent that was bound with a proxy and an authority connects through it, and never says the password", async () => {
    const tenant = new Tenant({ clock: systemClock() });
    const [house, proxy] = [await tlsHouse(tenant), await SmallProxy.open({ wants: USER })];
    const agent = new AgentProcess();
    const ca = join(agent.folder, "ca.pem");
    writeFileSync(ca, certificate.cert);
    const url = `http://${TYPED}@127.0.0.1:${proxy.port}`;
    const relays = [`wss://relay.test:${portOf(house)}`];
    const options = [...agent.trusting(tenant), "--proxy", url, "--ca", ca];
    const bound = await agent.bind(tenant, options, { deployment: { relays } });
    expect(bound).toMatchObject({ code: 0 });
    const running = agent.run();
    await running.says(/"connected"/);
    const shown = await agent.command("network");
    expect(shown.stdout).toContain("http://***@127.0.0.1");
    const said = running.stdout + running.stderr + bound.stdout + bound.stderr + shown.stdout;
    expect(said).not.toMatch(/p%3Aw|p:w/);
  });

  test("a running agent dials through a proxy that was set meanwhile", async () => {
    const tenant = new Tenant({ clock: systemClock() });
    const [house, proxy] = [await tlsHouse(tenant), await SmallProxy.open()];
    const agent = new AgentProcess();
    const ca = join(agent.folder, "ca.pem");
    writeFileSync(ca, certificate.cert);
    agent.bound(tenant, { deployment: { relays: [`wss://relay.test:${portOf(house)}`] } });
    const running = agent.run();
    await running.says(/could not connect/);
    expect(await agent.command("network", "--proxy", proxy.url, "--ca", ca)).toMatchObject({ code: 0 });
    await running.says(/"connected"/);
  });

  test("a proxy can be set while a version on trial has moved the state on: it may be what that waits for", async () => {
    const agent = new AgentProcess();
    agent.state.run(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    expect(await agent.command("network", "--proxy", "http://proxy:3128")).toMatchObject({ code: 0 });
    expect((await agent.command("network")).stdout).toContain("http://proxy:3128");
  });

  test("an authority that the system has is believed", async () => {
    const tenant = new Tenant({ clock: systemClock() });
    const house = await tlsHouse(tenant);
    const agent = new AgentProcess();
    const system = join(agent.folder, "system.pem");
    writeFileSync(system, certificate.cert);
    agent.bound(tenant, { deployment: { relays: [house.url] } });
    const running = new Program("agent", ["run", "--state", agent.path], { SSL_CERT_FILE: system });
    onTestFinished(() => void running.end("SIGKILL"));
    await expect(running.says(/"connected"/)).resolves.toBeDefined();
  });

  test("an agent that does not reach its relay says by which way it tried", async () => {
    const tenant = new Tenant({ clock: systemClock() });
    const proxy = await SmallProxy.open();
    proxy.manner = "refuse";
    const agent = new AgentProcess();
    agent.bound(tenant, { deployment: { relays: ["wss://relay.test:7600"] } });
    const env = { ALL_PROXY: `http://${TYPED}@127.0.0.1:${proxy.port}` };
    const running = new Program("agent", ["run", "--state", agent.path], env);
    onTestFinished(() => void running.end("SIGKILL"));
    await running.says(/through the proxy http:..\*\*\*@127.0.0.1:\d+ \(ALL_PROXY\).*could not connect/);
    expect(running.stdout + running.stderr).not.toMatch(/p%3Aw|p:w/);
  });

  test("an agent that is asked to stop while a proxy says nothing stops at once", async () => {
    const tenant = new Tenant({ clock: systemClock() });
    const proxy = await SmallProxy.open();
    proxy.manner = "hang";
    const agent = new AgentProcess();
    agent.bound(tenant, { deployment: { relays: ["wss://relay.test:7600"] } });
    keepNetwork(agent.path, { proxy: proxy.url });
    const running = agent.run();
    await until(() => proxy.asked.length > 0, "a dial");
    const before = performance.now();
    expect(await running.end("SIGTERM")).toBe(0);
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test("a proxy that cannot be one ends the start", async () => {
    const agent = new AgentProcess();
    const program = new Program("agent", ["run", "--state", agent.path, "--proxy", "socks5://x:1"], {});
    expect(await program.ended()).toBe(1);
    expect(program.stderr).toContain("network-form");
  });
});
