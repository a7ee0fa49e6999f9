// What Windows and macOS say of their proxy, read from text in the form of reg.exe and scutil.
import { describe, expect, test } from "vitest";
import { proxyWords, wayTo } from "../../protocol/proxy-choice.ts";
import { systemSettings } from "../../protocol/proxy-system.ts";

const KEY = "Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";

function registry(values: Readonly<Record<string, readonly [type: string, value: string]>>): string {
  const lines = Object.entries(values).map(([name, [type, value]]) => `    ${name}    REG_${type}    ${value}`);
  return ["", `HKEY_CURRENT_USER\\${KEY}`, ...lines, "", `HKEY_CURRENT_USER\\${KEY}\\5.0`, ""].join("\r\n");
}

type Answers = {
  readonly policy?: string;
  readonly machine?: string;
  readonly user?: string;
  readonly winhttp?: string;
};

function windows({ policy = "", machine = "", user = "", winhttp = "" }: Answers) {
  return systemSettings("win32", "C:\\Windows")?.read([policy, machine, user, winhttp]);
}

const on = (server: string, override = "") =>
  registry({
    "User Agent": ["SZ", "Mozilla/4.0 (compatible; MSIE 8.0; Win32)"],
    ProxyEnable: ["DWORD", "0x1"],
    ProxyServer: ["SZ", server],
    ProxyOverride: ["SZ", override],
  });

const number = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const text = (value: string) => Buffer.concat([number(value.length), Buffer.from(value)]);

/** As `netsh winhttp set proxy` writes it. */
function winHttp(flags: number, server: string, exceptions: string): string {
  const head = [number(0x28), number(7), number(flags)];
  const bytes = Buffer.concat([...head, text(server), text(exceptions), Buffer.alloc(24)]);
  return registry({ WinHttpSettings: ["BINARY", bytes.toString("hex").toUpperCase()] });
}

const MACHINE_POLICY = registry({ ProxySettingsPerUser: ["DWORD", "0x0"] });
const PAC = registry({ ProxyEnable: ["DWORD", "0x0"], AutoConfigURL: ["SZ", "http://wpad/wpad.dat"] });

describe("Windows", () => {
  test.each([
    ["one server for all", { user: on("proxy:8080") }, "http://proxy:8080 (the user's Internet settings)"],
    [
      "a server for each",
      { user: on("http=a:80;https=b:81;socks=c:82") },
      "http://b:81 (the user's Internet settings)",
    ],
    ["several for all", { user: on("a:82; b:81") }, "http://a:82 (the user's Internet settings)"],
    ["one for HTTP and one for all", { user: on("http=a:80;b:81") }, "http://b:81 (the user's Internet settings)"],
    ["a server with TLS", { user: on("https://proxy:8443") }, "https://proxy:8443 (the user's Internet settings)"],
    ["WinHTTP", { winhttp: winHttp(3, "w:1", "") }, "http://w:1 (the settings of WinHTTP)"],
    [
      "the user's before WinHTTP's",
      { user: on("u:1"), winhttp: winHttp(3, "w:1", "") },
      "http://u:1 (the user's Internet settings)",
    ],
    [
      "WinHTTP beside a PAC file",
      { user: PAC, winhttp: winHttp(3, "w:1", "") },
      "http://w:1 (the settings of WinHTTP)",
    ],
    [
      "the machine's by policy",
      { policy: MACHINE_POLICY, machine: on("m:1"), user: on("u:1") },
      "http://m:1 (the machine's Internet settings)",
    ],
    ["not the machine's without policy", { machine: on("m:1") }, "direct: nothing names a proxy"],
    ["WinHTTP set to direct", { winhttp: winHttp(1, "", "") }, "direct: nothing names a proxy"],
    ["no keys at all", {}, "direct: nothing names a proxy"],
    [
      "binary that is cut off",
      { winhttp: registry({ WinHttpSettings: ["BINARY", "2800000000000000030000000F"] }) },
      "direct: nothing names a proxy",
    ],
  ])("%s", (_what, answers, words) => {
    expect(proxyWords(windows(answers))).toBe(words);
  });

  test.each([
    ["a PAC file", { user: PAC }, /PAC files are not supported/],
    ["SOCKS alone", { user: on("socks=c:82") }, /no HTTP proxy that can be used/],
    [
      "a length beyond the end",
      { winhttp: registry({ WinHttpSettings: ["BINARY", "280000000000000003000000FFFFFF7F41"] }) },
      /no HTTP proxy/,
    ],
  ])("%s is told of and not followed", (_what, answers, words) => {
    const choice = windows(answers);
    expect(proxyWords(choice)).toMatch(words);
    expect(wayTo("wss://relay.test", choice)).toMatchObject({ proxyUrl: undefined });
  });

  test.each([
    [{ user: on("proxy:1", "*.corp.test;<local>") }, "wss://relay.corp.test"],
    [{ winhttp: winHttp(3, "proxy:1", "*.corp.test;10.*") }, "wss://10.1.2.3"],
  ])("its exceptions are dialled directly", (answers, relay) => {
    const choice = windows(answers);
    expect(wayTo(relay, choice).words).toMatch(/^directly: the exceptions of the .* name it$/);
    expect(wayTo("wss://relay.test", choice).proxyUrl).toBe("http://proxy:1/");
  });

  test("is asked through programs at absolute paths", () => {
    const paths = systemSettings("win32", "D:\\Win")?.questions.map(({ path }) => path);
    expect(new Set(paths)).toEqual(new Set(["D:\\Win\\System32\\reg.exe"]));
  });
});

const SCUTIL = `<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : 169.254/16
  }
  ExcludeSimpleHostnames : 1
  FTPPassive : 1
  HTTPEnable : 1
  HTTPPort : 3128
  HTTPProxy : plain.example.com
  HTTPSEnable : 1
  HTTPSPort : 8443
  HTTPSProxy : proxy.example.com
  ProxyAutoConfigEnable : 0
  SOCKSEnable : 0
  __SCOPED__ : <dictionary> {
    en0 : <dictionary> {
      HTTPSEnable : 1
      HTTPSPort : 1
      HTTPSProxy : scoped.example.com
    }
  }
}
`;

const macos = (answer: string) => systemSettings("darwin", "")?.read([answer]);

describe("macOS", () => {
  test("the proxy for TLS of the primary network counts", () => {
    expect(proxyWords(macos(SCUTIL))).toBe("http://proxy.example.com:8443 (macOS's network settings)");
  });

  test.each(["wss://mac.local", "wss://169.254.3.4", "wss://relay"])("its exceptions have %s", (relay) => {
    expect(wayTo(relay, macos(SCUTIL)).words).toBe("directly: the exceptions of macOS's network settings name it");
  });

  test("a host beside its exceptions goes through the proxy", () => {
    expect(wayTo("wss://relay.example.com", macos(SCUTIL)).proxyUrl).toBe("http://proxy.example.com:8443/");
  });

  test("an address of IPv6 is a proxy", () => {
    expect(proxyWords(macos(SCUTIL.replace("proxy.example.com\n  ProxyAuto", "2001:db8::1\n  ProxyAuto")))).toContain(
      "http://[2001:db8::1]:8443",
    );
  });

  test.each([
    ["a PAC file", "  ProxyAutoConfigEnable : 1\n  ProxyAutoConfigURLString : http://x/p.pac\n", /PAC files are not/],
    ["discovery", "  ProxyAutoDiscoveryEnable : 1\n", /PAC file by itself/],
    ["SOCKS alone", "  SOCKSEnable : 1\n  SOCKSPort : 1080\n  SOCKSProxy : s\n", /no HTTP proxy/],
    ["nothing", "  FTPPassive : 1\n", /nothing names a proxy/],
  ])("%s is told of", (_what, lines, words) => {
    expect(proxyWords(macos(`<dictionary> {\n${lines}}\n`))).toMatch(words);
  });
});

test("Linux has no settings beyond the environment", () => {
  expect(systemSettings("linux", "")).toBeUndefined();
});
