// The line to one relay as `ws` takes it: a relay over TLS is dialled through the proxy, if there is one, and is believed by the
// certificates that Node, the system and the owner name. TLS goes through the proxy's tunnel, so a login is bound to it as ever.
import { Agent } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { ClientOptions } from "ws";
import type { Network } from "./network.ts";

/** A relay at `ws:` is one of this machine or of a closed network, and always dialled directly. */
export function isProxied(relay: string, { proxy }: Network): boolean {
  return proxy !== undefined && new URL(relay).protocol === "wss:";
}

export function lineTo(relay: string, network: Network): ClientOptions {
  if (new URL(relay).protocol !== "wss:") return {};
  const { proxy } = network;
  const proxyEnv = proxy === undefined ? {} : { HTTPS_PROXY: proxy.url, NO_PROXY: proxy.noProxy };
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
export function trustOf({ ca }: Network): SecureContext {
  if (trusted?.ca === ca && trusted !== undefined) return trusted.context;
  const all = new Set([
    ...getCACertificates("default"),
    ...getCACertificates("system"),
    ...(ca === undefined ? [] : [ca]),
  ]);
  trusted = { ca, context: createSecureContext({ ca: [...all] }) };
  return trusted.context;
}
