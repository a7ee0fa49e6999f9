// What the freshness rule guarantees now, in plain words.
import type { Freshness, JobsStop, VouchRow } from "../policy/freshness.ts";
import { either } from "./either.ts";
import { plain } from "./escape.ts";
import { span } from "./span.ts";
import { ago, date } from "./time.ts";

type Reader = { readonly own: string; readonly now: number };

export function freshnessLines(freshness: Freshness, { own, now }: Reader): readonly string[] {
  const stop = freshness.stops.find(({ operator }) => operator === own);
  return [
    boundWords(freshness),
    `vouched: ${freshness.vouches.map((vouch) => vouchWords(vouch, now)).join(", ")}`,
    ...(stop === undefined ? [] : [stopWords(stop, { freshness, now })]),
  ];
}

function boundWords({ mode, maxAgeMs, boundMs, vouches }: Freshness): string {
  if (boundMs !== undefined)
    return `a withheld revocation can work for at most ${span(boundMs)} on a device: somebody besides a job's signer must have vouched within that time`;
  if (mode === "off") return "the rule is off: nothing bounds for how long a relay can hide a revocation from a device";
  if (mode === "any")
    return `devices take the signer's own word, ${span(maxAgeMs)} old at the most: nothing bounds for how long a withheld revocation works`;
  const few = vouches.length === 1 ? "one operator" : "nobody";
  return `with ${few} to vouch nothing bounds for how long a withheld revocation works on a device`;
}

function vouchWords({ name, lastWord, vouchedAt }: VouchRow, now: number): string {
  const how = vouchedAt === undefined ? " (when the key was approved)" : "";
  return `${plain(name)} ${ago(lastWord, now)}${how}`;
}

/** When one's own jobs stop, and who keeps them going. */
export function stopWords(
  { operator, from }: JobsStop,
  { freshness, now }: { readonly freshness: Freshness; readonly now: number },
): string {
  const others = freshness.vouches.filter((vouch) => vouch.operator !== operator);
  const names = either(others.map(({ name }) => plain(name)));
  return from <= now
    ? `devices refuse your jobs (job-stale) since ${date(from)}, until ${names} unlocks`
    : `your jobs stop on ${date(from)} unless ${names} unlocks before`;
}
