// Which proxy counts and which hosts go without one, as tables: what was said where, and what follows from it.
import { describe, expect, test } from "vitest";
import { chooseProxy, proxyWords, readProxyUrl, wayTo } from "../../protocol/proxy-choice.ts";
import { isBypassed } from "../../protocol/proxy-bypass.ts";

function bypassed(url: string, list: string, exactly = false): boolean {
  const { hostname, port } = new URL(url);
  return isBypassed({ hostname, port: port || "443" }, list, { exactly });
}

describe("NO_PROXY", () => {
  const RELAY = "wss://relay.example.com";
  test.each([
    ["*", RELAY, true],
    ["other.test, *", RELAY, true],
    ["relay.example.com", RELAY, true],
    ["example.com", RELAY, true],
    [".example.com", RELAY, true],
    [".example.com", "wss://example.com", true],
    ["*.example.com", RELAY, true],
    ["*.example.com", "wss://example.com", false],
    ["example.com.", RELAY, true],
    ["example.com", "wss://relay.example.com.", true],
    ["EXAMPLE.com", RELAY, true],
    ["ample.com", RELAY, false],
    ["relay.example.com.evil.test", RELAY, false],
    ["", RELAY, false],
    [" , .,,", RELAY, false],
    ["other.test example.com", RELAY, true],
    ["example.com:443", RELAY, true],
    ["example.com:8443", RELAY, false],
    ["example.com:8443", "wss://relay.example.com:8443", true],
    ["192.0.2.7", "wss://192.0.2.7", true],
    ["192.0.2.7:7600", "wss://192.0.2.7:7600", true],
    ["192.0.2.7:7601", "wss://192.0.2.7:7600", false],
    ["192.0.2.70", "wss://192.0.2.7", false],
    [".2.7", "wss://192.0.2.7", false],
    ["192.0.2.0/24", "wss://192.0.2.7", true],
    ["192.0.2.0/29", "wss://192.0.2.8", false],
    ["192.0.2.8/31", "wss://192.0.2.9", true],
    ["0.0.0.0/0", "wss://192.0.2.7", true],
    ["192.0.2.0/33", "wss://192.0.2.7", false],
    ["192.0.2.0/", "wss://192.0.2.7", false],
    ["192.0.2.0/-1", "wss://192.0.2.7", false],
    ["169.254/16", "wss://169.254.9.9", true],
    ["0.0.0.0/0", RELAY, false],
    ["0.0.0.0/0", "wss://[2001:db8::7]", false],
    ["2001:db8::7", "wss://[2001:db8::7]", true],
    ["[2001:DB8:0::7]", "wss://[2001:db8::7]", true],
    ["[2001:db8::7]:7600", "wss://[2001:db8::7]:7600", true],
    ["[2001:db8::7]:7601", "wss://[2001:db8::7]:7600", false],
    ["2001:db8::/32", "wss://[2001:db8:1::7]", true],
    ["[2001:db8::]/32", "wss://[2001:db8:1::7]", true],
    ["2001:db8::/32", "wss://[2001:db9::7]", false],
    ["::/0", "wss://[::1]", true],
    ["::1", "wss://[::1]", true],
    ["::/129", "wss://[::1]", false],
    ["localhost", "wss://localhost:7600", true],
  ])("%j and %s: directly is %s", (list, url, is) => {
    expect(bypassed(url, list)).toBe(is);
  });

  test("a pattern of many stars is decided at once", () => {
    const before = performance.now();
    expect(bypassed(`wss://${"a".repeat(60)}.test`, `${"a*".repeat(200)}b`)).toBe(false);
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});

describe("the lists of Windows and macOS", () => {
  test.each([
    ["example.com", "wss://example.com", true],
    ["example.com", "wss://relay.example.com", false],
    ["*.example.com;other", "wss://relay.example.com", true],
    [".example.com", "wss://relay.example.com", true],
    ["<local>", "wss://relay", true],
    ["<local>", "wss://relay.example.com", false],
    ["<local>", "wss://[::1]", false],
    ["192.168.*", "wss://192.168.7.9", true],
    ["192.168.*", "wss://192.169.7.9", false],
    ["rel*ample.com", "wss://relay.example.com", true],
    ["rel*rel*com", "wss://relay.example.com", false],
    ["https://relay.example.com", "wss://relay.example.com", true],
  ])("%j and %s: directly is %s", (list, url, is) => {
    expect(bypassed(url, list, true)).toBe(is);
  });
});

const typed = (spelling: string | undefined) => [
  { spelling, from: "typed" },
  { spelling: "http://kept:2", from: "kept" },
];
const ENV = { HTTPS_PROXY: "http://upper:3", ALL_PROXY: "http://all:4", NO_PROXY: "a.test" };

describe("the order", () => {
  test.each([
    ["what was typed", typed("http://typed:1"), ENV, "http://typed:1 (typed)"],
    ["what was kept", typed(undefined), ENV, "http://kept:2 (kept)"],
    ["the environment", [], ENV, "http://upper:3 (HTTPS_PROXY)"],
    ["lower case", [], { ...ENV, https_proxy: "http://lower:5" }, "http://lower:5 (https_proxy)"],
    ["none: the environment", typed("none"), ENV, "http://upper:3 (HTTPS_PROXY)"],
    ["direct: no proxy", typed("direct"), ENV, "direct: typed"],
    ["ALL_PROXY where HTTPS_PROXY is empty", [], { ...ENV, HTTPS_PROXY: "" }, "http://all:4 (ALL_PROXY)"],
    ["all_proxy before ALL_PROXY", [], { ...ENV, HTTPS_PROXY: "", all_proxy: "http://l:6" }, "http://l:6 (all_proxy)"],
    ["nothing", [], { HTTP_PROXY: "http://plain:7" }, "direct: nothing names a proxy"],
  ])("%s", (_what, named, env, words) => {
    const choice = chooseProxy(named, env);
    if (choice?.type === "malformed") throw new Error("malformed");
    expect(proxyWords(choice)).toBe(words);
  });

  test.each([
    ["proxy:3128", "http://proxy:3128/"],
    ["10.0.0.1:3128", "http://10.0.0.1:3128/"],
    ["[2001:db8::1]:3128/", "http://[2001:db8::1]:3128/"],
    ["ada:p%20w@proxy.test:80", "http://ada:p%20w@proxy.test/"],
  ])("ALL_PROXY=%s is an HTTP proxy, as other programs take it", (spelling, url) => {
    expect(chooseProxy([], { ALL_PROXY: spelling })).toMatchObject({ type: "proxy", url });
  });

  test.each([
    "socks5://u:p@proxy:1080",
    "proxy",
    "proxy:99999",
    "proxy:3128/path",
    "ada:secret@proxy",
    "//proxy:3128",
    "socks5:1080:",
    "http://us:%zz@proxy:1",
    "us:%zz@proxy:1",
    "http://proxy/path",
  ])("ALL_PROXY=%s is malformed and not passed over", (spelling) => {
    expect(chooseProxy([], { ALL_PROXY: spelling })).toEqual({ type: "malformed", from: "ALL_PROXY" });
    expect(readProxyUrl(spelling)).toBeUndefined();
  });
});

describe("the way to a relay", () => {
  const proxy = { type: "proxy", url: "http://ada:secret@proxy:1/", noProxy: "a.test", from: "HTTPS_PROXY" } as const;
  test.each([
    ["wss://b.test", proxy, "through the proxy http://***@proxy:1 (HTTPS_PROXY)"],
    ["wss://a.test", proxy, "directly: NO_PROXY names it"],
    ["ws://b.test", proxy, "directly: it is a relay without TLS"],
    ["wss://b.test", undefined, "directly: nothing names a proxy"],
    ["wss://b.test", { type: "direct", from: "setting" } as const, "directly: setting"],
  ])("%s is said", (relay, choice, words) => {
    const way = wayTo(relay, choice);
    expect(way.words).toBe(words);
    expect(way.proxyUrl).toBe(words.startsWith("through") ? proxy.url : undefined);
  });
});
