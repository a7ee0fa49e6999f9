// Whether a relay can be reached from here, step by step, without a login: its name, the line or the proxy, TLS, and its hello.
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { TLSSocket } from "node:tls";
import { WebSocket } from "ws";
import { readFrame } from "../../protocol/frame.ts";
import { MAX_CLOCK_AHEAD_MS, MAX_FRAME_BYTES } from "../../protocol/limits.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { readHeader, ToDevice } from "../../protocol/wire.ts";
import { CERTIFICATE_SOON_MS, DOCTOR_STEP_MS } from "../limits.ts";
import { dialWords, proxyWords, wayTo } from "../../protocol/proxy-choice.ts";
import type { Network } from "../connection/network.ts";
import { lineTo } from "../connection/relay-line.ts";
import { codeOf, type Finding, type Level, ok, span, warning } from "./finding.ts";

type Look = { readonly relay: string; readonly network: Network; readonly now: () => number };

/** Which proxy counts, and by whom it was named; the order is that of docs/doctor.md. */
export function proxyFinding({ proxy }: Network): Finding {
  const says = `${proxyWords(proxy)}; the first counts of command line, setting, environment, system`;
  if (proxy?.type !== "direct" || proxy.unfollowed === undefined) return ok("proxy", says);
  return warning("proxy", says, "keybound-agent network --proxy URL, or direct");
}

/** Of all relays at once. */
export async function relayFindings(
  relays: readonly string[],
  given: Omit<Look, "relay">,
): Promise<readonly Finding[]> {
  const all = relays.map((relay) => relayFinding({ relay, ...given }));
  return (await Promise.all(all)).flat();
}

/** Steps that were taken, up to the first that failed. */
async function relayFinding(look: Look): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  for (const step of stepsOf(look)) {
    const finding = await step();
    found.push(finding);
    if (finding.level === "failed") break;
  }
  return found;
}

function stepsOf(look: Look): readonly (() => Promise<Finding>)[] {
  const { hostname, port, protocol } = new URL(look.relay);
  const target = { host: bare(hostname), port: Number(port || (protocol === "wss:" ? 443 : 80)) };
  const { proxyUrl, words } = wayTo(look.relay, look.network.proxy);
  // Names beyond a proxy are the proxy's to resolve.
  if (proxyUrl === undefined)
    return [() => resolved(look, target.host), () => joined(look, target), () => greeted(look)];
  const url = new URL(proxyUrl);
  const place = { host: bare(url.hostname), port: Number(url.port || (url.protocol === "https:" ? 443 : 80)) };
  return [() => joined(look, place, words), () => greeted(look)];
}

const bare = (host: string) => host.replace(/^\[(.*)\]$/, "$1");

async function resolved(look: Look, host: string): Promise<Finding> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("no answer in time")), DOCTOR_STEP_MS);
  try {
    const addresses = await Promise.race([lookup(host, { all: true }), late.promise]);
    return say(look, "ok", `name: ${host} is ${addresses.map(({ address }) => address).join(", ")}`);
  } catch (error) {
    return say(
      look,
      "failed",
      `name: ${host} is not found: ${codeOf(error)}`,
      "check the name server, or set a proxy: keybound-agent network --proxy",
    );
  } finally {
    clearTimeout(timer);
  }
}

async function joined(look: Look, { host, port }: { host: string; port: number }, what = "line"): Promise<Finding> {
  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  const socket = connect({ host, port }, () => resolve(undefined));
  socket.on("error", resolve);
  const timer = setTimeout(() => resolve(new Error("no answer in time")), DOCTOR_STEP_MS);
  const error = await promise;
  clearTimeout(timer);
  socket.destroy();
  const hint =
    "check that it runs, and what stands between: firewalls, routes; where only a proxy leads out, keybound-agent network --proxy";
  if (error !== undefined)
    return say(look, "failed", `${what}: ${host} port ${port} does not take a connection: ${codeOf(error)}`, hint);
  return say(look, "ok", `${what}: ${host} port ${port} in ${Math.round(performance.now() - started)} ms`);
}

type Greeting = { readonly time: number; readonly tls: string | undefined; readonly endsAt: number | undefined };

async function greeted(look: Look): Promise<Finding> {
  const greeting = await helloOf(look);
  if (greeting instanceof Error) return refusedFinding(look, greeting);
  const { time, tls, endsAt } = greeting;
  const off = time - look.now();
  const says = `hello: ${tls ?? "without TLS"}; its clock ${Math.abs(off) < 1_000 ? "is ours" : `is ${span(off)} ${off > 0 ? "ahead of" : "behind"} ours`}`;
  if (Math.abs(off) > MAX_CLOCK_AHEAD_MS)
    return say(look, "failed", says, "one of the two clocks is wrong, and jobs are refused: set it");
  if (Math.abs(off) > MAX_CLOCK_AHEAD_MS / 10)
    return say(look, "warning", says, "one of the two clocks is wrong: set it");
  if (endsAt !== undefined && endsAt - look.now() < CERTIFICATE_SOON_MS)
    return say(look, "warning", says, "its certificate ends soon: tell whoever runs the relay");
  return say(look, "ok", says);
}

/** The relay's first frame, without a login; an error where there is none. */
async function helloOf({ relay, network }: Look): Promise<Greeting | Error> {
  const { promise, resolve } = Promise.withResolvers<Greeting | Error>();
  const line = lineTo(relay, network);
  const options = {
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
    handshakeTimeout: DOCTOR_STEP_MS,
    followRedirects: false,
  };
  const socket = new WebSocket(`${relay.replace(/\/$/, "")}/keybound/v1`, { ...options, ...line });
  socket.binaryType = "nodebuffer";
  let tls: TlsWords | undefined;
  socket.on("upgrade", ({ socket: stream }) => (tls = stream instanceof TLSSocket ? tlsWords(stream) : undefined));
  socket.on("message", (data) => resolve(readHello(data, tls)));
  socket.on("error", resolve);
  socket.on("close", () => resolve(new Error("it closed the connection without a hello")));
  const timer = setTimeout(() => resolve(new Error("no hello in time")), 2 * DOCTOR_STEP_MS);
  const greeting = await promise;
  clearTimeout(timer);
  socket.terminate();
  line.agent?.destroy();
  return greeting;
}

type TlsWords = { readonly text: string; readonly endsAt: number };

function tlsWords(stream: TLSSocket): TlsWords {
  const { issuer, valid_to: end } = stream.getPeerCertificate();
  const endsAt = Date.parse(end);
  const by = String(issuer.O ?? issuer.CN ?? "nobody").slice(0, 80);
  return {
    text: `${stream.getProtocol()}, certificate by ${by} until ${new Date(endsAt).toISOString().slice(0, 10)}`,
    endsAt,
  };
}

function readHello(data: unknown, tls: TlsWords | undefined): Greeting | Error {
  try {
    if (!(data instanceof Uint8Array)) return new Error("its first frame is no bytes");
    const header = readHeader(ToDevice, readFrame(data).header);
    if (header.type !== "hello") return new Error(`its first frame is ${header.type}, not hello`);
    return { time: header.time, tls: tls?.text, endsAt: tls?.endsAt };
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** By the system's or Node's code; the texts are Node's, and never have a proxy's credentials. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /ERR_PROXY_TUNNEL/,
    "ask who runs the proxy to let CONNECT to this relay through; its user and password are set by keybound-agent network --proxy",
  ],
  [/ALTNAME/, "the relay's certificate is for another name: dial the one that it has, or have it made anew"],
  [/EXPIRED|NOT_YET_VALID/, "the relay's certificate is out of date, or this machine's clock is wrong"],
  [
    /SELF_SIGNED|UNABLE_TO|ISSUER/,
    "if the relay's authority is your own: keybound-agent network --ca FILE. If something between reads the traffic, let this relay pass untouched: logins are bound to the relay's own TLS",
  ],
];

function refusedFinding(look: Look, error: Error): Finding {
  const code = codeOf(error);
  const [, hint = "see the relay's log; what answers there may be no relay"] =
    HINTS.find(([codes]) => codes.test(code)) ?? [];
  const says = code === error.message ? code : `${code}: ${dialWords(error.message)}`;
  return say(look, "failed", `hello: ${printable(says)}`, hint);
}

/** A proxy's or a relay's words are a stranger's. */
const printable = (text: string) => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 300);

function say({ relay }: Look, level: Level, says: string, hint?: string): Finding {
  return { check: "relay", subject: relay, level, says: printable(says), ...(hint === undefined ? {} : { hint }) };
}
