// Which proxy counts for an operator's client: `--proxy`, KEYBOUND_PROXY, the home's configuration, the environment, the system's settings.
import { execFile } from "node:child_process";
import { chooseProxy, DIRECT, type Followed, readProxyUrl, UNSET } from "../../protocol/proxy-choice.ts";
import { type SystemQuestion, systemSettings } from "../../protocol/proxy-system.ts";
import { Fault } from "../fault.ts";
import { MAX_SYSTEM_ANSWER_BYTES, SYSTEM_ANSWER_MS } from "../limits.ts";
import type { World } from "../world.ts";

export type ProxyWorld = Pick<World, "env" | "platform" | "proxy">;

/** Throws `proxy-form` where the first that says something names none. */
export async function countingProxy({ env, platform, proxy = {} }: ProxyWorld): Promise<Followed> {
  const named = [
    { spelling: proxy.typed, from: "--proxy" },
    { spelling: env["KEYBOUND_PROXY"], from: "KEYBOUND_PROXY" },
    { spelling: proxy.kept, from: "config.json" },
  ];
  const choice = chooseProxy(named, env);
  // The value is not repeated: there may be a password in it.
  if (choice?.type === "malformed") throw new Fault("proxy-form", choice.from);
  return choice ?? (await systemProxy({ env, platform }));
}

/** Throws `proxy-form` where `--proxy` has neither a proxy's URL nor one of the two words. */
export function checkTypedProxy(typed: string): void {
  const isWord = typed === DIRECT || typed === UNSET;
  if (!isWord && readProxyUrl(typed) === undefined) throw new Fault("proxy-form", "--proxy");
}

async function systemProxy({ env, platform }: ProxyWorld): Promise<Followed> {
  const systemRoot = env["SystemRoot"] ?? "C:\\Windows";
  const settings = systemSettings(platform, systemRoot);
  return settings?.read(await Promise.all(settings.questions.map((question) => answerTo(question, systemRoot))));
}

/** Nothing where it fails: then the system says nothing. */
function answerTo({ path, args }: SystemQuestion, systemRoot: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const bounds = { timeout: SYSTEM_ANSWER_MS, maxBuffer: MAX_SYSTEM_ANSWER_BYTES, killSignal: "SIGKILL" } as const;
  const env = { LC_ALL: "C", SystemRoot: systemRoot };
  const options = { ...bounds, env, encoding: "utf8", windowsHide: true } as const;
  execFile(path, args, options, (error, stdout) => resolve(error === null ? stdout : ""));
  return promise;
}
