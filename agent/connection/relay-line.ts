// The line to one relay as `ws` takes it: a relay over TLS is dialled through the proxy, if there is one, and is believed by the
// certificates that Node, the system and the owner name. TLS goes through the proxy's tunnel, so a login is bound to it as ever.
import { Agent } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext, getCACertificates, type SecureContext, setDefaultCACertificates } from "node:tls";
import type { ClientOptions } from "ws";
import { wayTo } from "../../protocol/proxy-choice.ts";
import type { Network } from "./network.ts";

export function lineTo(relay: string, network: Network): ClientOptions {
  if (new URL(relay).protocol !== "wss:") return {};
  const { proxyUrl } = wayTo(relay, network.proxy);
  // Node asks a proxy that has TLS itself by its defaults alone.
  if (proxyUrl?.startsWith("https:") === true) setDefaultCACertificates(certificatesOf(network));
  const proxyEnv = proxyUrl === undefined ? {} : { HTTPS_PROXY: proxyUrl };
  return { agent: new LineAgent({ proxyEnv, secureContext: trustOf(network) }) };
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

let trusted: { readonly ca: string | undefined; readonly context: SecureContext } | undefined;

/** Made once: some hundred certificates, 10 MiB where a context that does not ask the system has 3. */
export function trustOf(network: Network): SecureContext {
  const { ca } = network;
  if (trusted?.ca === ca && trusted !== undefined) return trusted.context;
  trusted = { ca, context: createSecureContext({ ca: certificatesOf(network) }) };
  return trusted.context;
}

let defaults: readonly string[] | undefined;

/** Node's defaults as they were at first: an authority that was taken back must not stay among them. */
function certificatesOf({ ca }: Network): string[] {
  defaults ??= getCACertificates("default");
  return [...new Set([...defaults, ...getCACertificates("system"), ...(ca === undefined ? [] : [ca])])];
}
