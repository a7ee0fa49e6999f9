// The proxy that Windows is set to, read by the agent through the registry of Wine, as real programs.
import { afterAll, beforeAll, expect, it } from "vitest";
import { AGENT_WORDS, Wine } from "./wine.ts";

const INTERNET = "Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";
const POLICY = "HKLM\\Software\\Policies\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";

let wine: Wine;

beforeAll(async () => {
  wine = await Wine.open();
});

afterAll(() => wine[Symbol.dispose]());

async function add(key: string, name: string, type: string, value: string): Promise<void> {
  const words = ["reg", "add", key, "/v", name, "/t", `REG_${type}`, "/d", value, "/f"];
  expect(await wine.start(words).ended()).toBe(0);
}

async function network(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const program = wine.start([...AGENT_WORDS, "network"], env);
  expect(await program.ended()).toBe(0);
  return program.said;
}

it("says that nothing is set where nothing is", async () => {
  expect(await network()).toContain("direct: nothing names a proxy");
});

it("takes WinHTTP's, then the user's, then by policy the machine's, and the environment before all", async () => {
  const server = Buffer.from("w.test:1");
  const head = Buffer.from(Uint32Array.of(0x28, 1, 3, server.length).buffer);
  const hex = Buffer.concat([head, server, Buffer.alloc(28)]).toString("hex");
  await add(`HKLM\\${INTERNET}\\Connections`, "WinHttpSettings", "BINARY", hex);
  expect(await network()).toContain("http://w.test:1 (the settings of WinHTTP)");
  await add(`HKCU\\${INTERNET}`, "ProxyEnable", "DWORD", "1");
  await add(`HKCU\\${INTERNET}`, "ProxyServer", "SZ", "http=a.test:1;https=u.test:2");
  expect(await network()).toContain("http://u.test:2 (the user's Internet settings)");
  await add(POLICY, "ProxySettingsPerUser", "DWORD", "0");
  await add(`HKLM\\${INTERNET}`, "ProxyEnable", "DWORD", "1");
  await add(`HKLM\\${INTERNET}`, "ProxyServer", "SZ", "m.test:3");
  expect(await network()).toContain("http://m.test:3 (the machine's Internet settings)");
  expect(await network({ ALL_PROXY: "http://e.test:4" })).toMatch(/http:\/\/e\.test:4 \(all_proxy\)/i);
});
