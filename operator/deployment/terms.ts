// What a deployment says: who may join with it, how many, until when, and as what.
import * as v from "valibot";
import { Word } from "../../protocol/fields.ts";
import {
  DEFAULT_DEPLOYMENT_LIFETIME_MS,
  DEFAULT_TOKEN_LIFETIME_MS,
  MAX_DEPLOYMENT_LIFETIME_MS,
  MAX_RELAY_URL_CHARS,
  MAX_RELAYS,
  MAX_ADMITTED_GROUPS,
  MAX_TOKEN_USES,
} from "../../protocol/limits.ts";
import { readRelayUrl } from "../connection/relay-client.ts";
import { Fault } from "../fault.ts";
import { DEFAULT_TOKEN_USES } from "../limits.ts";
import { every } from "../present/either.ts";

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

/** Throws `misuse` for what is no relay, group or class, and for what no device would take. */
export function termsOf(options: TermOptions, { now, relay }: { now: number; relay: string }): Terms {
  const { mode = "auto", uses = DEFAULT_TOKEN_USES, days } = options;
  atMost("--days", days, MAX_DEPLOYMENT_LIFETIME_MS / DAY_MS);
  atMost("--uses", uses, MAX_TOKEN_USES);
  const lifetimeMs = days === undefined ? DEFAULT_DEPLOYMENT_LIFETIME_MS : days * DAY_MS;
  const tokenMs = days === undefined ? DEFAULT_TOKEN_LIFETIME_MS : lifetimeMs;
  const relays = [...new Set((options.relay ?? [relay]).map(relayUrl))];
  const groups = [...new Set((options.group ?? []).map((group) => word("--group", group)))];
  atMost("relays", relays.length, MAX_RELAYS);
  atMost("groups", groups.length, MAX_ADMITTED_GROUPS);
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

function relayUrl(typed: string): string {
  const url = readRelayUrl(typed);
  if (url !== undefined && url.length <= MAX_RELAY_URL_CHARS) return url;
  throw new Fault("misuse", `--relay ${typed}: ws://HOST:PORT or wss://HOST[:PORT]`);
}

function atMost(what: string, value: number | undefined, bound: number): void {
  if (value !== undefined && value > bound) throw new Fault("misuse", `${what}: ${value}, at most ${bound}`);
}

/** Throws `misuse` for what is no name of a group or class. */
export function word(option: string, value: string): string {
  if (v.safeParse(Word, value).success) return value;
  throw new Fault("misuse", `${option} ${value}: lower-case letters, digits, dot, dash and underscore, at most 63`);
}

/** What signing it would allow, for whoever is about to sign. */
export function widening({ mode, uses, tokenNotAfter, class: deviceClass, groups, relays }: Terms): string {
  const how = mode === "auto" ? "without being asked for each" : "after you admit each by hand";
  const where = groups.length === 0 ? "" : `, groups ${groups.join(", ")}`;
  const until = new Date(tokenNotAfter).toISOString().slice(0, 10);
  const joining = `This package lets up to ${uses} devices join until ${until}, ${how} (class ${deviceClass}${where}).`;
  const open = relays.filter(isOpen);
  if (open.length === 0) return joining;
  return `${joining}\nWARNING: devices dial ${every(open)} without TLS: whoever is on the way sees them, and can stand in for the relay.`;
}

/** Without TLS, and not on the machine itself. */
function isOpen(relay: string): boolean {
  const { protocol, hostname } = new URL(relay);
  return (
    protocol === "ws:" && hostname !== "localhost" && hostname !== "[::1]" && !/^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}
