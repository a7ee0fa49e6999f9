// What a client keeps of a roster, and what it makes of one that tells too little.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { Cache } from "../../operator/home/cache.ts";
import { emptyRoster } from "../../protocol/roster.ts";
import { device } from "../cast/device.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";

test("a roster is kept with the devices that were removed; one that does not name them counts as none", () => {
  const folder = mkdtempSync(join(tmpdir(), "keybound-cache-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const tenant = new Tenant();
  const log = new RosterLog(tenant);
  log.admit(device("web-1"));
  log.append({ type: "device.remove", device: device("web-1").id }, [tenant.founder.signer]);
  using cache = new Cache(folder);
  cache.keepRoster(log.roster);
  expect(cache.roster(tenant.id)).toEqual(log.roster);
  using db = new DatabaseSync(join(folder, "cache.db"));
  db.exec("UPDATE judged SET json = json_remove(json, '$.removed') WHERE name = 'roster'");
  expect(cache.roster(tenant.id)).toEqual(emptyRoster(tenant.id));
});
