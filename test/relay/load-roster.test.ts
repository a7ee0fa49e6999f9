// A roster as the relay loads it: from its newest stored state, or from the entries where that state tells too little.
import { expect, test } from "vitest";
import { loadRoster } from "../../relay/load-roster.ts";
import { openStore } from "../../relay/store.ts";
import { snapshotRoster } from "../../protocol/roster.ts";
import { device } from "../cast/device.ts";
import { RosterLog } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";

function storedRoster() {
  const tenant = new Tenant();
  const log = new RosterLog(tenant);
  log.admit(device("web-1"));
  log.append({ type: "device.remove", device: device("web-1").id }, [tenant.founder.signer]);
  const store = openStore({ path: ":memory:" });
  const [genesis = new Uint8Array(0)] = tenant.log;
  const n = store.db.commit("tenant", () => {
    store.logs.addTenant({ id: tenant.id, genesis, now: tenant.clock.now });
    return store.logs.tenant(tenant.id)?.n ?? 0;
  });
  store.db.commit("roster", () => {
    for (const [seq, entry] of log.entries.entries()) store.logs.append({ n, log: "roster" }, { seq, ...entry });
  });
  const keep = (json: string) => store.db.commit("snapshot", () => store.logs.saveRosterSnapshot({ n, seq: 1, json }));
  return {
    log,
    keep,
    load: () => loadRoster(store, { n, view: tenant.view }),
    [Symbol.dispose]: () => store.db.close(),
  };
}

test("a stored state is taken as it stands, with the devices that were removed", () => {
  using stored = storedRoster();
  const kept = { ...snapshotRoster(stored.log.roster), removed: [device("mail-1").id] };
  stored.keep(JSON.stringify(kept));
  expect(stored.load().removed).toEqual(new Set([device("mail-1").id]));
});

test("a stored state that does not say which devices were removed is judged anew from the entries", () => {
  using stored = storedRoster();
  const { removed: _untold, ...older } = snapshotRoster(stored.log.roster);
  stored.keep(JSON.stringify(older));
  expect(stored.load()).toEqual(stored.log.roster);
});
