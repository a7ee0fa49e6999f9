// How a relay is dialled from an operator's machine: through the proxy that the environment names, believed by the certificates that
// Node and the system name. TLS goes through the proxy's tunnel, so a login is bound to it as ever.
import { Agent } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { ClientOptions } from "ws";
import { Fault } from "./fault.ts";
import type { World } from "./world.ts";

/** A relay at `ws:` is one of this machine or of a closed network, and always dialled directly. Throws `proxy-form`. */
export function lineTo(relay: string, env: World["env"]): ClientOptions {
  if (new URL(relay).protocol !== "wss:") return {};
  return { agent: new LineAgent({ proxyEnv: proxyOf(env), secureContext: trust() }) };
}

/** Node's agent lets go of a connection to a proxy that has not answered yet, and it would keep the program from ending. */
class LineAgent extends Agent {
  #dialled: Duplex | null | undefined;

  override createConnection(...args: Parameters<Agent["createConnection"]>): Duplex | null | undefined {
    this.#dialled = super.createConnection(...args);
    return this.#dialled;
  }

  override destroy(): void {
    this.#dialled?.destroy();
    super.destroy();
  }
}

let trusted: SecureContext | undefined;

function trust(): SecureContext {
  trusted ??= createSecureContext({
    ca: [...new Set([...getCACertificates("default"), ...getCACertificates("system")])],
  });
  return trusted;
}

/** KEYBOUND_PROXY is meant for us and counts for each relay: a URL, or `direct`. The others are every program's. */
function proxyOf(env: World["env"]): { readonly HTTPS_PROXY?: string; readonly NO_PROXY?: string } {
  const own = env["KEYBOUND_PROXY"] || "";
  if (own === "direct") return {};
  if (own !== "") return { HTTPS_PROXY: checked(own, "KEYBOUND_PROXY") };
  const shared = env["https_proxy"] || env["HTTPS_PROXY"] || "";
  if (shared === "") return {};
  return { HTTPS_PROXY: checked(shared, "HTTPS_PROXY"), NO_PROXY: env["no_proxy"] || env["NO_PROXY"] || "" };
}

/** The message never has the value: there may be a password in it. */
function checked(spelling: string, what: string): string {
  const url = URL.canParse(spelling) ? new URL(spelling) : undefined;
  const isProxy =
    url !== undefined && ["http:", "https:"].includes(url.protocol) && url.pathname === "/" && !url.search;
  if (!isProxy || !isDecodable(url.username) || !isDecodable(url.password)) throw new Fault("proxy-form", what);
  return url.href;
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
