// What in an organisation's status asks for somebody to act, the worst first, each with the command to run.
import { VOUCH_WARNING_MS } from "../limits.ts";
import { every } from "../present/either.ts";
import { plain } from "../present/escape.ts";
import { stopWords } from "../present/freshness-words.ts";
import { oddWords } from "../present/heard-words.ts";
import { ago } from "../present/time.ts";
import { keyEndWords } from "../unlock/unlock.ts";
import type { TenantStatus } from "./tenant-status.ts";

export type Warning = {
  readonly says: string;
  readonly run: string;
  /** Whether it shows that somebody lies: a second line of the key log, entries that are withheld. */
  readonly evidence: boolean;
};

export type Reader = { readonly own: string; readonly now: number };

export function statusWarnings(status: TenantStatus, reader: Reader): readonly Warning[] {
  return [
    ...forkWarnings(status),
    ...oddWarnings(status),
    ...mismatchWarnings(status, reader),
    ...closedWarnings(status),
    ...freshnessWarnings(status, reader),
    ...ownKeyWarnings(status, reader),
    ...endedWarnings(status, reader),
  ];
}

function forkWarnings({ forks }: TenantStatus): readonly Warning[] {
  return forks.map(({ seq, id, revokes }) => ({
    says: `A SECOND ENTRY ${seq} of the key log, ${id}, was signed by a key of it${revokes === undefined ? "" : `; it revokes key ${revokes}, which signs nothing more that counts`}: two admins at once, or somebody rewrites history`,
    run: "keybound history",
    evidence: true,
  }));
}

function oddWarnings({ devices, colleagues }: TenantStatus): readonly Warning[] {
  const ofDevices = devices.odd.map((odd) => oddWords(odd.name, odd));
  const ofColleagues = colleagues.flatMap(({ name, odd }) => (odd === undefined ? [] : [oddWords(plain(name), odd)]));
  const run = "keybound history   # compare it with what they see";
  return [...ofDevices, ...ofColleagues].map((says) => ({ says, run, evidence: true }));
}

function mismatchWarnings({ mismatches }: TenantStatus, { now }: Reader): readonly Warning[] {
  return mismatches.map(({ name, by, time }) => ({
    says: `${plain(by)} typed other digits than ${plain(name)}'s request showed, ${ago(time, now)}: somebody may stand between people and this relay`,
    run: "keybound key approve --code",
    evidence: false,
  }));
}

function closedWarnings({ closed, organisation }: TenantStatus): readonly Warning[] {
  const says = `${plain(organisation)} is closed: devices take no jobs any more`;
  return closed ? [{ says, run: "keybound tenant reset --help", evidence: false }] : [];
}

/** Nothing while there is time enough to find a colleague. */
export function freshnessWarnings(
  { freshness }: Pick<TenantStatus, "freshness">,
  { own, now }: Reader,
): readonly Warning[] {
  const stop = freshness.stops.find(({ operator }) => operator === own);
  const soonMs = Math.min(VOUCH_WARNING_MS, freshness.maxAgeMs / 2);
  if (stop === undefined || stop.from > now + soonMs) return [];
  const run = "keybound unlock   # on a colleague's machine";
  return [{ says: stopWords(stop, { freshness, now }), run, evidence: false }];
}

function ownKeyWarnings({ operators }: TenantStatus, { own, now }: Reader): readonly Warning[] {
  const row = operators.find(({ operator }) => operator === own);
  const end = row?.notAfter === undefined ? undefined : keyEndWords(row.notAfter, now);
  const renew = end === undefined ? [] : [{ says: end, run: "keybound key change", evidence: false }];
  const admins = operators.filter(({ role, key }) => role === "admin" && key !== "revoked");
  const isLost = row?.role === "admin" && row.recovery === false && admins.length === 1;
  const says =
    "you are the only admin and have no recovery file: without your passphrase the organisation has to be reset";
  return isLost ? [...renew, { says, run: "keybound key recovery-file", evidence: false }] : renew;
}

function endedWarnings({ operators }: TenantStatus, { own }: Reader): readonly Warning[] {
  const ended = operators.filter(({ key, operator }) => key === "ended" && operator !== own);
  if (ended.length === 0) return [];
  const names = every(ended.map(({ name }) => plain(name)));
  const run = "keybound key change   # by them; or keybound key revoke NAME";
  return [{ says: `keys that have ended sign no jobs any more: ${names}`, run, evidence: false }];
}
