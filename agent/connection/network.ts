// How this device reaches relays: through which proxy, and whose certificates are believed beside the system's. What was set on the
// command line comes before what is kept in the state folder, that before the environment, and that before the system's own settings.
import { readFileSync, rmSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import * as v from "valibot";
import { AgentFault } from "../fault.ts";
import { MAX_NETWORK_BYTES } from "../limits.ts";
import { replaceFile } from "../state/replace-file.ts";
import { chooseProxy, DIRECT, type Followed, readProxyUrl, UNSET } from "../../protocol/proxy-choice.ts";

export type Network = {
  /** `undefined` where nobody named one. */
  readonly proxy: Followed;
  /** PEM certificates of authorities that are believed as well. */
  readonly ca: string | undefined;
};

/** No proxy, and what Node and the system believe. */
export const DIRECTLY: Network = { proxy: undefined, ca: undefined };

export type Environment = Readonly<Record<string, string | undefined>>;

/** `proxy` is a URL or the word `direct`: no proxy, whatever environment and system say. */
const NetworkSetting = v.strictObject({
  version: v.literal(1),
  proxy: v.exactOptional(v.string()),
  ca: v.exactOptional(v.string()),
});
export type NetworkSetting = Readonly<v.InferOutput<typeof NetworkSetting>>;

/** What was asked for on the command line: `proxy` as typed, `ca` a file. */
export type NetworkOptions = { readonly proxy?: string | undefined; readonly ca?: string | undefined };

const FILE = "network.json";

/** What is named to us. Throws `network-form` where one of the three says what cannot be followed, `file-unreadable` where a file cannot be read. */
export function networkOf(folder: string, env: Environment, options: NetworkOptions = {}): Network {
  const setting = readSetting(folder);
  const ca = options.ca === undefined ? setting.ca : readCa(options.ca);
  return { proxy: proxyOf({ env, typed: options.proxy, kept: setting.proxy }), ca };
}

/** As far as the environment says: for whoever may not read the state folder. */
export function networkOfEnvironment(env: Environment): Network {
  return { proxy: proxyOf({ env, typed: undefined, kept: undefined }), ca: undefined };
}

/** Keeps what was asked for in the state folder. What was not named stays as it was. */
export function keepNetwork(folder: string, { proxy, ca }: NetworkOptions): void {
  if (proxy === undefined && ca === undefined) return;
  const before = readSetting(folder);
  const next = {
    version: 1 as const,
    proxy: proxy === undefined ? before.proxy : keptProxy(proxy),
    ca: ca === undefined ? before.ca : readCa(ca),
  };
  replaceFile(join(folder, FILE), `${JSON.stringify(next)}\n`, 0o600);
}

export function forgetNetwork(folder: string): void {
  rmSync(join(folder, FILE), { force: true });
}

/** The same, with what the system is set to where nobody named a proxy: asked anew each time, since people change it. */
export async function withSystemProxy(network: Network, platform: NodeJS.Platform, env: Environment): Promise<Network> {
  if (network.proxy !== undefined || (platform !== "win32" && platform !== "darwin")) return network;
  const { systemProxy } = await import("./system-proxy.ts");
  return { ...network, proxy: await systemProxy(platform, env["SystemRoot"] ?? "C:\\Windows") };
}

type Named = { readonly env: Environment; readonly typed: string | undefined; readonly kept: string | undefined };

function proxyOf({ env, typed, kept }: Named): Followed {
  const named = [
    { spelling: typed, from: "command line" },
    { spelling: kept, from: "setting" },
  ];
  const choice = chooseProxy(named, env);
  return choice?.type === "malformed" ? malformed(choice.from) : choice;
}

function keptProxy(typed: string): string | undefined {
  if (typed === UNSET) return undefined;
  return typed === DIRECT ? DIRECT : (readProxyUrl(typed) ?? malformed("command line"));
}

/** The message never has the value: there may be a password in it. */
function malformed(from: string): never {
  throw new AgentFault("network-form", `${from} is no http://[user:password@]host:port`);
}

function readSetting(folder: string): NetworkSetting {
  const path = join(folder, FILE);
  const text = readWhereThere(path);
  if (text === undefined) return { version: 1 };
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), NetworkSetting), text);
  if (!parsed.success) throw new AgentFault("network-form", path);
  return parsed.output;
}

function readWhereThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw unreadable(path, error);
  }
}

/** The certificates themselves: the file may go. */
function readCa(file: string): string | undefined {
  if (file === UNSET) return undefined;
  const text = readWhereThere(file);
  if (text === undefined) throw new AgentFault("file-unreadable", file);
  if (text.length > MAX_NETWORK_BYTES)
    throw new AgentFault("network-form", `${file}: ${text.length} bytes, at most ${MAX_NETWORK_BYTES}`);
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (certificates === null) throw new AgentFault("network-form", `${file} has no PEM certificate`);
  try {
    return certificates.map((certificate) => new X509Certificate(certificate).toString()).join("");
  } catch (error) {
    throw new AgentFault("network-form", `${file}: ${error instanceof Error ? error.message : ""}`, { cause: error });
  }
}

function unreadable(path: string, cause: unknown): AgentFault {
  return new AgentFault("file-unreadable", `${path}: ${cause instanceof Error ? cause.message : ""}`, { cause });
}
