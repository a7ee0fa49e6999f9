// What a deployment says: who may join with it, how many, until when, and as what.
import * as v from "valibot";
import { Word } from "../../protocol/fields.ts";
import { DEFAULT_DEPLOYMENT_LIFETIME_MS, DEFAULT_TOKEN_LIFETIME_MS } from "../../protocol/limits.ts";
import { readRelayUrl } from "../connection/relay-client.ts";
import { Fault } from "../fault.ts";
import { DEFAULT_TOKEN_USES } from "../limits.ts";

const DAY_MS = 24 * 3_600_000;

/** The options of `keybound package` that say it. */
export type TermOptions = {
  readonly group?: readonly string[];
  readonly class?: string;
  readonly uses?: number;
  readonly days?: number;
  readonly mode?: "auto" | "hand";
  readonly relay?: readonly string[];
};

export type Terms = {
  readonly mode: "auto" | "hand";
  readonly uses: number;
  readonly class: string;
  readonly groups: readonly string[];
  readonly relays: readonly string[];
  readonly issuedAt: number;
  readonly notAfter: number;
  readonly tokenNotAfter: number;
};

/** Throws `misuse` for what is no relay, group or class. */
export function termsOf(options: TermOptions, { now, relay }: { now: number; relay: string }): Terms {
  const { mode = "auto", uses = DEFAULT_TOKEN_USES, days } = options;
  const lifetimeMs = days === undefined ? DEFAULT_DEPLOYMENT_LIFETIME_MS : days * DAY_MS;
  const tokenMs = days === undefined ? DEFAULT_TOKEN_LIFETIME_MS : lifetimeMs;
  const relays = (options.relay ?? [relay]).map((url) => {
    const read = readRelayUrl(url);
    if (read === undefined) throw new Fault("misuse", `--relay ${url}: ws://HOST:PORT or wss://HOST[:PORT]`);
    return read;
  });
  const groups = (options.group ?? []).map((group) => word("--group", group));
  const deviceClass = word("--class", options.class ?? "standard");
  return {
    mode,
    uses,
    class: deviceClass,
    groups,
    relays,
    issuedAt: now,
    notAfter: now + lifetimeMs,
    tokenNotAfter: now + tokenMs,
  };
}

/** Throws `misuse` for what is no name of a group or class. */
export function word(option: string, value: string): string {
  if (v.safeParse(Word, value).success) return value;
  throw new Fault("misuse", `${option} ${value}: lower-case letters, digits, dot, dash and underscore, at most 63`);
}

/** What signing it would allow, for whoever is about to sign. */
export function widening({ mode, uses, tokenNotAfter, class: deviceClass, groups }: Terms): string {
  const how = mode === "auto" ? "without being asked for each" : "after you admit each by hand";
  const where = groups.length === 0 ? "" : `, groups ${groups.join(", ")}`;
  const until = new Date(tokenNotAfter).toISOString().slice(0, 10);
  return `This package lets up to ${uses} devices join until ${until}, ${how} (class ${deviceClass}${where}).`;
}
