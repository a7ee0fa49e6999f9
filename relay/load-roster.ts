// A tenant's roster from the database: the newest stored state, and the entries since then judged again.
import * as v from "valibot";
import type { KeyLogView } from "../protocol/key-view.ts";
import { emptyRoster, judgeRosterEvent, type Roster, restoreRoster } from "../protocol/roster.ts";
import type { Store } from "./store.ts";

// What this relay wrote itself; read through a schema so that its type is known, not because it is doubted.
const Place = v.object({ seq: v.number(), id: v.string() });
const Snapshot = v.object({
  tenant: v.string(),
  head: v.exactOptional(Place),
  keySeq: v.number(),
  devices: v.array(
    v.object({
      device: v.string(),
      sig: v.string(),
      enc: v.string(),
      name: v.string(),
      class: v.string(),
      request: v.string(),
      token: v.exactOptional(v.string()),
      since: v.number(),
    }),
  ),
  groups: v.array(v.tuple([v.string(), v.array(v.string())])),
  tokens: v.array(
    v.object({
      token: v.string(),
      mode: v.picklist(["auto", "hand"]),
      maxUses: v.number(),
      notAfter: v.number(),
      class: v.string(),
      groups: v.array(v.string()),
      wraps: v.array(v.object({ to: v.string(), wrap: v.string() })),
      uses: v.number(),
    }),
  ),
  removed: v.array(v.string()),
});

export function loadRoster({ logs }: Store, { n, view }: { n: number; view: KeyLogView }): Roster {
  const roster = storedRoster(logs.rosterSnapshot(n)) ?? emptyRoster(view.state.tenant);
  const next = roster.head === undefined ? 0 : roster.head.seq + 1;
  for (const { bytes } of logs.entries({ n, log: "roster" }, next)) judgeRosterEvent(roster, bytes, view);
  return roster;
}

/** `undefined` also for a state that another version stored: the entries are all there, and are judged again. */
function storedRoster(json: string | undefined): Roster | undefined {
  if (json === undefined) return undefined;
  const stored = v.safeParse(Snapshot, JSON.parse(json));
  return stored.success ? restoreRoster(stored.output) : undefined;
}
