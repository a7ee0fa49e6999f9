// How a relay is dialled from an operator's machine: through the proxy that counts there, believed by the certificates that Node and
// the system name. TLS goes through the proxy's tunnel, so a login is bound to it as ever.
import { Agent } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext, getCACertificates, type SecureContext, setDefaultCACertificates } from "node:tls";
import type { ClientOptions } from "ws";
import { wayTo } from "../../protocol/proxy-choice.ts";
import { countingProxy, type ProxyWorld } from "./counting-proxy.ts";

/** Options for `ws`, and in words without credentials how the relay is dialled. */
export type Line = { readonly options: ClientOptions; readonly words: string };

/** Throws `proxy-form`. */
export async function lineTo(relay: string, world: ProxyWorld): Promise<Line> {
  if (new URL(relay).protocol !== "wss:") return { options: {}, words: wayTo(relay, undefined).words };
  const { proxyUrl, words } = wayTo(relay, await countingProxy(world));
  // Node asks a proxy that has TLS itself by its defaults alone.
  if (proxyUrl?.startsWith("https:") === true) setDefaultCACertificates(certificates());
  const proxyEnv = proxyUrl === undefined ? {} : { HTTPS_PROXY: proxyUrl };
  return { options: { agent: new LineAgent({ proxyEnv, secureContext: trust() }) }, words };
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
  trusted ??= createSecureContext({ ca: certificates() });
  return trusted;
}

function certificates(): string[] {
  return [...new Set([...getCACertificates("default"), ...getCACertificates("system")])];
}
