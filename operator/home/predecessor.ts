// What a home remembers of the organisations that its own took the place of: their devices by the keys that they had, so that it
// can be said which of them have come over.
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { text, utf8 } from "../../protocol/bytes.ts";
import { Digest, Name, Word, whole } from "../../protocol/fields.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { MAX_SUPERSEDED } from "../../protocol/limits.ts";
import type { Roster } from "../../protocol/roster.ts";
import { DeviceName } from "../../protocol/roster-event.ts";
import { Fault } from "../fault.ts";
import { MAX_PREDECESSOR_BYTES } from "../limits.ts";
import { readBounded, writeWhole } from "./stored-file.ts";

const FILE = "predecessor.json";

const PredecessorDevice = v.strictObject({
  device: Digest,
  sig: Digest,
  name: DeviceName,
  class: Word,
  groups: v.array(Word),
});
export type PredecessorDevice = Readonly<v.InferOutput<typeof PredecessorDevice>>;

const Predecessor = v.strictObject({
  tenant: Digest,
  name: Name,
  epoch: whole(1, 1_000_000),
  devices: v.array(PredecessorDevice),
});
export type Predecessor = Readonly<v.InferOutput<typeof Predecessor>>;

const Stored = v.strictObject({
  version: v.literal(1),
  tenants: v.pipe(v.array(Predecessor), v.maxLength(MAX_SUPERSEDED)),
});

/** A tenant as it is now, to be remembered by the home of the one that takes its place. */
export function predecessorsOf({ tenant, name, epoch }: KeyLogState, roster: Roster): Predecessor {
  const devices = [...roster.devices.values()].map(({ device, sig, name: called, class: deviceClass }) => {
    const groups = [...roster.groups].filter(([, members]) => members.has(device)).map(([group]) => group);
    return { device, sig, name: called, class: deviceClass, groups: groups.toSorted() };
  });
  return { tenant, name, epoch, devices };
}

/** Oldest first; none where this home's organisation took nobody's place. Throws `home-broken`. */
export function readPredecessors(folder: string): readonly Predecessor[] {
  const path = join(folder, FILE);
  if (!existsSync(path)) return [];
  const parsed = v.safeParse(Stored, jsonOf(readBounded(path, MAX_PREDECESSOR_BYTES)));
  if (!parsed.success) throw new Fault("home-broken", path);
  return parsed.output.tenants;
}

/** Writes all of them, whole or not at all. */
export function writePredecessors(folder: string, tenants: readonly Predecessor[]): void {
  writeWhole(join(folder, FILE), utf8(`${JSON.stringify({ version: 1, tenants })}\n`), { replace: true });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(text(bytes) ?? "") as unknown;
  } catch {
    // The one documented failure of JSON.parse: a SyntaxError.
    return undefined;
  }
}
