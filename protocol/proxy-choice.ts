// Which proxy leads to a relay, decided from what was set where. It is here, although nothing of it goes over the wire, because an
// operator's client and a device must decide alike, may not import each other, and it is a function of strings, as all is here. Who
// reads the settings and who dials is each program's own.
import { isBypassed } from "./proxy-bypass.ts";

/** As typed or kept, beside a URL: no proxy, whatever else says one. */
export const DIRECT = "direct";
/** As typed or kept: as if it and what comes next to it had said nothing, so that the environment counts. */
export const UNSET = "none";

/** Where it was said: `command line`, `setting`, a variable's name, or the system's settings by name. */
type Said = { readonly from: string };

export type ProxyChoice =
  /** `url` may have credentials and is never to be printed; `noProxy` is a list as NO_PROXY has it. */
  | (Said & { readonly type: "proxy"; readonly url: string; readonly noProxy: string; readonly isSystem?: boolean })
  /** `unfollowed` is what the system says that we cannot do. */
  | (Said & { readonly type: "direct"; readonly unfollowed?: string })
  | (Said & { readonly type: "malformed" });

/** A choice that can be followed; `undefined` where nobody said anything. */
export type Followed = Exclude<ProxyChoice, { readonly type: "malformed" }> | undefined;

export type Named = Said & { readonly spelling: string | undefined };
type Environment = Readonly<Record<string, string | undefined>>;

/** In the order in which they count; lower case first, as curl has it. */
const VARIABLES = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] as const;

/** The first that says something: what was named to us, in the order given, then the environment. `undefined`: ask the system. */
export function chooseProxy(named: readonly Named[], env: Environment): ProxyChoice | undefined {
  const first = named.find(({ spelling }) => spelling !== undefined && spelling !== "");
  if (first?.spelling !== undefined && first.spelling !== UNSET) return explicit(first.spelling, first.from);
  const from = VARIABLES.find((name) => env[name]);
  if (from === undefined) return undefined;
  return proxyAt({ spelling: env[from] ?? "", from, noProxy: env["no_proxy"] || env["NO_PROXY"] || "" });
}

function explicit(spelling: string, from: string): ProxyChoice {
  return spelling === DIRECT ? { type: "direct", from } : proxyAt({ spelling, from, noProxy: "" });
}

function proxyAt({ spelling, from, noProxy }: { spelling: string; from: string; noProxy: string }): ProxyChoice {
  const url = readProxyUrl(spelling);
  return url === undefined ? { type: "malformed", from } : { type: "proxy", url, noProxy, from };
}

/** `HOST:PORT`, with a user before it or not, as curl and others take it from the environment: a name alone may be a word mistyped. */
const BARE = /^(?:[^/?#\s]*@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}\/?$/;

/** The URL of an HTTP proxy, reached with or without TLS, in its usual spelling; `undefined` where it is none. */
export function readProxyUrl(spelling: string): string | undefined {
  const spelled = BARE.test(spelling) ? `http://${spelling}` : spelling;
  const url = URL.canParse(spelled) ? new URL(spelled) : undefined;
  const isProxy =
    url !== undefined && ["http:", "https:"].includes(url.protocol) && url.pathname === "/" && !url.search;
  return isProxy && isDecodable(url.username) && isDecodable(url.password) ? url.href : undefined;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch (error) {
    if (error instanceof URIError) return false;
    throw error;
  }
}

/** How one relay is dialled: through the proxy of this URL where there is one; `words` are for people and have no credentials. */
export type Way = { readonly proxyUrl: string | undefined; readonly words: string };

/** A relay at `ws:` is one of this machine or of a closed network, and always dialled directly. */
export function wayTo(relay: string, choice: Followed): Way {
  const { protocol, hostname, port } = new URL(relay);
  if (protocol !== "wss:") return directly("it is a relay without TLS");
  if (choice?.type !== "proxy") return directly(proxyWords(choice).replace("direct: ", ""));
  if (isBypassed({ hostname, port: port || "443" }, choice.noProxy, { exactly: choice.isSystem === true }))
    return directly(`${choice.isSystem === true ? `the exceptions of ${choice.from} name` : "NO_PROXY names"} it`);
  return { proxyUrl: choice.url, words: `through the proxy ${proxyWords(choice)}` };
}

function directly(why: string): Way {
  return { proxyUrl: undefined, words: `directly: ${why}` };
}

/** For people and logs: without credentials. */
export function proxyWords(choice: Followed): string {
  if (choice === undefined) return "direct: nothing names a proxy";
  if (choice.type === "direct")
    return choice.unfollowed === undefined ? `direct: ${choice.from}` : `direct: ${choice.from} ${choice.unfollowed}`;
  const { protocol, host, username } = new URL(choice.url);
  return `${protocol}//${username === "" ? "" : "***@"}${host} (${choice.from})`;
}

/** A failure to dial in words. Of a proxy's answer its status alone: what else stands in that line may be our password, sent back. */
export function dialWords(message: string): string {
  return message.replace(/(HTTP\/\d\.\d \d{3})\b[^]*$/, "$1");
}
