// Addresses: where the relay listens, by which names it is dialled, and who dials.
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { Obstacle } from "./obstacle.ts";

export type Address = { readonly host: string; readonly port: number };

/** Reads `HOST:PORT`, with an IPv6 host in brackets. */
export function readAddress(text: string): Address {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const plain = host?.replace(/^\[(.*)\]$/, "$1");
  if (plain === undefined || Number(port) > 65_535 || (plain.includes(":") && isIP(plain) !== 6)) {
    throw new Obstacle(`${text} is no HOST:PORT`, {
      hint: "for example 127.0.0.1:7600 or [::1]:7600",
      kind: "misused",
    });
  }
  return { host: plain, port: Number(port) };
}

/** `HOST:PORT` as it stands in a URL. */
export function hostPort({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || /^(::ffff:)?127\./.test(host) || host === "::1";
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/**
 * What a login may be made for: the names given, each as it is and with the port; or where none is given the listening
 * address, and on loopback its other spellings. Throws where the address is nobody's name.
 */
export function relayNames(listen: Address, given: readonly string[]): readonly string[] {
  if (given.length === 0 && isWildcard(listen.host)) {
    const hint = "add --name with the host that devices and operators dial, such as --name relay.example.com";
    throw new Obstacle(`nobody dials ${listen.host}: the relay needs a name`, { hint, kind: "misused" });
  }
  const hosts = given.length > 0 ? given : isLoopback(listen.host) ? loopbackHosts(listen.host) : [listen.host];
  return [...new Set(hosts.flatMap((host) => spellings(host, listen.port)))];
}

function loopbackHosts(host: string): readonly string[] {
  return [host, "localhost", "127.0.0.1", "::1"];
}

/** As `new URL(url).host` spells it, with this port and with the scheme's own. */
function spellings(name: string, port: number): readonly string[] {
  if (/^(\[.*\]|[^:]+):\d+$/.test(name)) return [name.toLowerCase()];
  const host = isIP(name) === 6 ? `[${name}]` : name.toLowerCase();
  return [host, `${host}:${port}`];
}

/** Who dials: the peer's address; behind a proxy what the proxy says, which is the last of the list. */
export function dialler(request: IncomingMessage, isBehindProxy: boolean): string {
  const forwarded = request.headers["x-forwarded-for"];
  const last = [forwarded].flat().join(",").split(",").at(-1)?.trim();
  const peer = request.socket.remoteAddress ?? "unknown";
  return isBehindProxy && last !== undefined && isIP(last) > 0 ? last : peer;
}

/** What is counted as one dialler: an IPv4 address, or the /64 network that one customer has of IPv6. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, "");
  if (isIP(plain) !== 6) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === "" ? 0 : tail.split(":").length);
  return [...groups, ...Array.from({ length: missing }, () => "0"), ...(tail ?? "").split(":")].slice(0, 4).join(":");
}
