// What a status computes from the log and from checkpoints: how people's keys stand, what freshness bounds, and when jobs stop.
import { describe, expect, test } from "vitest";
import type { Vouch } from "../../operator/home/cache.ts";
import { keyHistory } from "../../operator/keys/key-history.ts";
import { type OperatorRow, operatorRows } from "../../operator/keys/operator-rows.ts";
import { freshnessOf } from "../../operator/policy/freshness.ts";
import { freshnessLines } from "../../operator/present/freshness-words.ts";
import { operatorTable, waitLines } from "../../operator/present/operator-table.ts";
import { freshnessWarnings } from "../../operator/tenant/status-warnings.ts";
import type { TenantStatus } from "../../operator/tenant/tenant-status.ts";
import { DAY, HOUR } from "../cast/clock.ts";
import { type Person, person, renewed } from "../cast/person.ts";
import { KEY_LIFETIME_MS, Tenant } from "../cast/tenant.ts";

const ada = person("Ada", "admin");
const grace = person("Grace", "admin");

function rowsOf(tenant: Tenant, now = tenant.clock.now): readonly OperatorRow[] {
  const entries = tenant.entries.map(({ id, bytes, state }) => ({ id, bytes, seq: state.head.seq }));
  return operatorRows({ state: tenant.state, history: keyHistory(entries), now });
}

/** Lines of the table, with one bar where columns end. */
async function tableOf(tenant: Tenant, { now = tenant.clock.now, all = false } = {}): Promise<readonly string[]> {
  const status: Pick<TenantStatus, "operators" | "requests"> = { operators: rowsOf(tenant, now), requests: [] };
  const text = await operatorTable({ status, now, all });
  return text.split("\n").map((line) => line.replace(/ {2,}/g, " | "));
}

function company(over: ConstructorParameters<typeof Tenant>[0] = {}): Tenant {
  const tenant = new Tenant({ founder: ada, ...over });
  tenant.add(grace);
  return tenant;
}

describe("the table of people", () => {
  test("says since when a key is active and who signed for it", async () => {
    expect(await tableOf(company())).toEqual([
      "NAME | ROLE | KEY | SINCE | BY | RECOVERY",
      "Ada | admin | active | 2026-01-05 | Ada | file made",
      "Grace | admin | active | 2026-01-05 | Ada | file made",
    ]);
  });

  test("says when a key ends within a month, and that it has ended", async () => {
    const tenant = company();
    const end = tenant.clock.now + KEY_LIFETIME_MS;
    expect((await tableOf(tenant, { now: end - 31 * DAY }))[1]).toContain("| active | 2026-01-05");
    expect((await tableOf(tenant, { now: end - 30 * DAY }))[1]).toContain("| active, ends 2026-07-04 |");
    expect((await tableOf(tenant, { now: end }))[1]).toContain("| ended 2026-07-04 |");
  });

  test("shows people whose key was revoked only where all are asked for", async () => {
    const tenant = company();
    tenant.clock.turn(DAY);
    tenant.revoke(grace, [ada]);
    expect(await tableOf(tenant)).toHaveLength(2);
    expect((await tableOf(tenant, { all: true }))[2]).toBe("Grace | admin | revoked | 2026-01-06 | Ada | -");
  });

  test("names the mode where a key is of the passphrase alone", async () => {
    const tenant = company();
    const next = renewed(grace);
    const key = { ...tenant.keyOf(next), mode: "passphrase" };
    tenant.append({ type: "operator.change", key, jobs: "keep" }, [grace.signer, next.signer, next.recovery]);
    expect((await tableOf(tenant)).map((line) => line.split(" | ").at(-1))).toEqual(["MODE", "-", "passphrase-only"]);
  });
});

/** Grace's key comes from her recovery file, and waits a day. */
function recovered(): Tenant {
  const tenant = company({ policy: { recoveryDelayMs: 24 * HOUR } });
  const next = renewed(grace);
  const signers = [grace.recovery, next.signer, next.recovery];
  tenant.append({ type: "operator.recover", key: tenant.keyOf(next) }, signers);
  return tenant;
}

describe("a recovered key", () => {
  test("waits, and it is said that each device counts from when it heard", async () => {
    const tenant = recovered();
    expect((await tableOf(tenant))[2]).toContain("| active, waits until 2026-01-06 or later |");
    expect(waitLines(rowsOf(tenant))).toEqual([
      "Grace's key comes from a recovery: each device takes jobs by it 24 hours after it heard of entry 2, none before 2026-01-06 09:00:00Z",
    ]);
  });

  test("is spoken of no more when the time is over", () => {
    const tenant = recovered();
    expect(waitLines(rowsOf(tenant, tenant.clock.now + 24 * HOUR))).toEqual([]);
  });
});

describe("freshness", () => {
  const now = new Tenant().clock.now + 30 * DAY;

  const reader = { own: ada.operator, now };

  function seenBy(tenant: Tenant, vouched: readonly (readonly [Person, number])[]) {
    const newest = new Map<string, Vouch>(
      vouched.map(([{ operator }, agoMs]) => [operator, { keyHead: tenant.head, time: now - agoMs }]),
    );
    return freshnessOf(tenant.state, { newest, now });
  }

  /** The lines for Ada, where these people vouched so long ago. */
  function linesOf(tenant: Tenant, vouched: readonly (readonly [Person, number])[]): readonly string[] {
    return freshnessLines(seenBy(tenant, vouched), reader);
  }

  test("bounds a withheld revocation by the policy's age, and says when jobs stop", () => {
    const lines = linesOf(company(), [[grace, 2 * DAY]]);
    expect(lines[0]).toMatch(/^a withheld revocation can work for at most 14 days on a device: /);
    expect(lines.slice(1)).toEqual([
      "vouched: Ada 30 d ago (when the key was approved), Grace 2 d ago",
      "your jobs stop on 2026-02-16 09:00:00Z unless Grace unlocks before",
    ]);
  });

  test("counts the approval of a colleague's key as their word until they first unlock", () => {
    const tenant = new Tenant({ founder: ada });
    tenant.clock.turn(29 * DAY);
    tenant.add(grace);
    expect(linesOf(tenant, [[ada, HOUR]]).slice(1)).toEqual([
      "vouched: Ada 1 h ago, Grace 1 d ago (when the key was approved)",
      "your jobs stop on 2026-02-17 09:00:00Z unless Grace unlocks before",
    ]);
  });

  test("has stopped jobs when the last word of a colleague is too old", () => {
    expect(linesOf(company(), [[grace, 15 * DAY]]).at(-1)).toBe(
      "devices refuse your jobs (job-stale) since 2026-02-03 09:00:00Z, until Grace unlocks",
    );
  });

  test("asks for a colleague three days before jobs stop, and not earlier", () => {
    const early = seenBy(company(), [[grace, 11 * DAY - 1]]);
    expect(freshnessWarnings({ freshness: early }, reader)).toEqual([]);
    const late = seenBy(company(), [[grace, 11 * DAY]]);
    expect(freshnessWarnings({ freshness: late }, reader)).toEqual([
      {
        says: "your jobs stop on 2026-02-07 09:00:00Z unless Grace unlocks before",
        run: "keybound unlock   # on a colleague's machine",
        evidence: false,
      },
    ]);
  });

  test("counts the colleague who vouched last, and no auditor", () => {
    const tenant = company();
    const bob = person("Bob");
    tenant.add(bob);
    tenant.add(person("Max", "auditor"));
    const vouched = [
      [grace, 9 * DAY],
      [bob, DAY],
      [person("Max"), 0],
    ] as const;
    expect(linesOf(tenant, vouched).at(-1)).toBe(
      "your jobs stop on 2026-02-17 09:00:00Z unless Grace or Bob unlocks before",
    );
  });

  test("bounds nothing with one operator, and stops nothing", () => {
    expect(linesOf(new Tenant({ founder: ada }), [[ada, 6 * DAY]])).toEqual([
      "with one operator to vouch nothing bounds for how long a withheld revocation works on a device",
      "vouched: Ada 6 d ago",
    ]);
  });

  test.each([
    ["any", /^devices take the signer's own word, 14 days old at the most: nothing bounds /],
    ["off", /^the rule is off: nothing bounds /],
  ] as const)("of mode %s bounds nothing, and stops nothing", (mode, words) => {
    const tenant = company({ policy: { freshness: { mode, maxAgeMs: 14 * DAY } } });
    const lines = linesOf(tenant, []);
    expect([lines.length, lines[0]]).toEqual([2, expect.stringMatching(words)]);
  });
});
