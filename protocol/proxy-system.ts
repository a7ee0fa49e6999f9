// The proxy that a whole system is set to: which program of it is asked what, and how its answers are read; one part a platform.
// Linux has no such setting beyond the environment.
import { type Followed, readProxyUrl } from "./proxy-choice.ts";

/** A program by its absolute path. What it answers on standard output; nothing where it fails. */
export type SystemQuestion = { readonly path: string; readonly args: readonly string[] };

export type SystemSettings = {
  readonly questions: readonly SystemQuestion[];
  /** Of the answers, in the questions' order. Never malformed: what cannot be used is told as not followed. */
  readonly read: (answers: readonly string[]) => Followed;
};

/** `undefined` where the platform has no such settings. */
export function systemSettings(platform: string, systemRoot: string): SystemSettings | undefined {
  if (platform === "win32") return { questions: windowsQuestions(systemRoot), read: readWindows };
  if (platform === "darwin") return { questions: [{ path: "/usr/sbin/scutil", args: ["--proxy"] }], read: readMacos };
  return undefined;
}

const NO_PAC = "names a PAC file, and PAC files are not supported: set the proxy explicitly";
const NO_DISCOVERY = "looks for a PAC file by itself, and PAC files are not supported: set the proxy explicitly";
const NO_OTHER = "names no HTTP proxy that can be used, such as one of SOCKS alone: set the proxy explicitly";

type Manual = { readonly server: string; readonly exceptions: readonly string[]; readonly from: string };

function manual({ server, exceptions, from }: Manual): Followed {
  const url = readProxyUrl(/^https?:\/\//i.test(server) ? server : `http://${server}`);
  if (url === undefined) return { type: "direct", from, unfollowed: NO_OTHER };
  return { type: "proxy", url, noProxy: exceptions.join(","), from, isSystem: true };
}

const INTERNET = "Microsoft\\Windows\\CurrentVersion\\Internet Settings";
const [USER, MACHINE] = [`HKCU\\Software\\${INTERNET}`, `HKLM\\SOFTWARE\\${INTERNET}`];

function windowsQuestions(systemRoot: string): readonly SystemQuestion[] {
  const path = `${systemRoot}\\System32\\reg.exe`;
  const ask = (key: string, ...which: readonly string[]) => ({ path, args: ["query", key, ...which] });
  const policy = ask(`HKLM\\SOFTWARE\\Policies\\${INTERNET}`, "/v", "ProxySettingsPerUser");
  return [policy, ask(MACHINE), ask(USER), ask(`${MACHINE}\\Connections`, "/v", "WinHttpSettings")];
}

/** The user's settings, or where a policy says so the machine's; else those of WinHTTP, which `netsh winhttp` sets for services. */
function readWindows([policy = "", machine = "", user = "", winhttp = ""]: readonly string[]): Followed {
  const isPerMachine = numberOf(registryValues(policy).get("proxysettingsperuser")) === 0;
  const internet = isPerMachine
    ? readInternet(registryValues(machine), "the machine's Internet settings")
    : readInternet(registryValues(user), "the user's Internet settings");
  if (internet?.type === "proxy") return internet;
  return readWinHttp(registryValues(winhttp).get("winhttpsettings") ?? "") ?? internet;
}

type Values = ReadonlyMap<string, string>;

/** Lines of `reg query`: four spaces, the name, its type, the value. Names are in lower case, as they are one to Windows. */
function registryValues(answer: string): Values {
  const lines = [...answer.matchAll(/^ {4}(\S.*?) {4}REG_[A-Z_]+ {4}(.*?)\r?$/gm)];
  return new Map(lines.map(([, name = "", value = ""]) => [name.toLowerCase(), value]));
}

const numberOf = (value: string | undefined) => (value === undefined ? undefined : Number(value));

function readInternet(values: Values, from: string): Followed {
  const server = serverOf(values.get("proxyserver") ?? "");
  const exceptions = [values.get("proxyoverride") ?? ""];
  if (numberOf(values.get("proxyenable")) === 1) return manual({ server, exceptions, from });
  return values.get("autoconfigurl") ? { type: "direct", from, unfollowed: NO_PAC } : undefined;
}

/** `HOST:PORT` for all, or `http=HOST:PORT;https=HOST:PORT`: the one for TLS counts, else the first for all. */
function serverOf(value: string): string {
  const parts = value.split(/[;\s]+/).filter((part) => part !== "");
  const own = parts.find((part) => part.toLowerCase().startsWith("https="))?.slice("https=".length);
  return own ?? parts.find((part) => !part.includes("=")) ?? "";
}

/** REG_BINARY: size, count of changes, flags (2: a proxy), then twice a length and that many characters: server, exceptions. */
function readWinHttp(hex: string): Followed {
  if (!/^(?:[0-9a-f]{2})+$/i.test(hex)) return undefined;
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const view = new DataView(bytes.buffer);
  if (bytes.length < 16 || (view.getUint32(8, true) & 2) === 0) return undefined;
  const server = textAt(view, 12);
  const exceptions = textAt(view, 16 + server.length);
  return manual({ server: serverOf(server), exceptions: [exceptions], from: "the settings of WinHTTP" });
}

/** Nothing where it would reach beyond the end. */
function textAt(view: DataView, offset: number): string {
  if (offset + 4 > view.byteLength) return "";
  const length = view.getUint32(offset, true);
  if (offset + 4 + length > view.byteLength) return "";
  return String.fromCharCode(...new Uint8Array(view.buffer, offset + 4, length));
}

/** `scutil --proxy`: one dictionary, of which the primary network's own entries are indented by two, those of its lists by four. */
function readMacos([answer = ""]: readonly string[]): Followed {
  const from = "macOS's network settings";
  const values = new Map(
    [...answer.matchAll(/^ {2}(\w+) : (.*)$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  const isOn = (name: string) => values.get(name) === "1";
  if (isOn("HTTPSEnable")) return manual({ server: macosServer(values), exceptions: macosExceptions(answer), from });
  if (isOn("ProxyAutoConfigEnable")) return { type: "direct", from, unfollowed: NO_PAC };
  if (isOn("ProxyAutoDiscoveryEnable")) return { type: "direct", from, unfollowed: NO_DISCOVERY };
  return isOn("SOCKSEnable") || isOn("HTTPEnable") ? { type: "direct", from, unfollowed: NO_OTHER } : undefined;
}

function macosServer(values: Values): string {
  const host = values.get("HTTPSProxy") ?? "";
  const port = values.get("HTTPSPort");
  return `${host.includes(":") ? `[${host}]` : host}${port === undefined ? "" : `:${port}`}`;
}

function macosExceptions(answer: string): readonly string[] {
  const [, list = ""] = /^ {2}ExceptionsList : <array> \{\n([^]*?)^ {2}\}$/m.exec(answer) ?? [];
  const listed = [...list.matchAll(/^ {4}\d+ : (.*)$/gm)].map(([, entry = ""]) => entry);
  return /^ {2}ExcludeSimpleHostnames : 1$/m.test(answer) ? [...listed, "<local>"] : listed;
}
