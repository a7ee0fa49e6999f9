// A readable copy of what an organisation had signed: devices with their groups and classes, the policy, the people. It is kept when
// the organisation is reset, so that it can be looked up, and signed again under the new key.
import * as v from "valibot";
import { text, utf8 } from "../../protocol/bytes.ts";
import { Digest, Name, Time, Word, whole } from "../../protocol/fields.ts";
import { Role } from "../../protocol/key-event.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { pinOf } from "../../protocol/pin.ts";
import { Policy } from "../../protocol/policy.ts";
import type { Roster } from "../../protocol/roster.ts";
import { DeviceName } from "../../protocol/roster-event.ts";
import { Fault } from "../fault.ts";
import { MAX_COPY_BYTES } from "../limits.ts";
import { readBounded, writeWhole } from "../home/stored-file.ts";

const TenantCopy = v.strictObject({
  keybound: v.literal("tenant-copy"),
  version: v.literal(1),
  organisation: Name,
  tenant: Digest,
  pin: v.string(),
  epoch: whole(1, 1_000_000),
  madeAt: Time,
  operators: v.array(v.strictObject({ name: Name, role: Role })),
  policy: Policy,
  devices: v.array(
    v.strictObject({ name: DeviceName, class: Word, groups: v.array(Word), device: Digest, sig: Digest }),
  ),
});
export type TenantCopy = Readonly<v.InferOutput<typeof TenantCopy>>;

export function copyOf(state: KeyLogState, roster: Roster, now: number): TenantCopy {
  const devices = [...roster.devices.values()].map(({ device, sig, name, class: deviceClass }) => {
    const groups = [...roster.groups].filter(([, members]) => members.has(device)).map(([group]) => group);
    return { name, class: deviceClass, groups: groups.toSorted(), device, sig };
  });
  return {
    keybound: "tenant-copy",
    version: 1,
    organisation: state.name,
    tenant: state.tenant,
    pin: pinOf(state.tenant),
    epoch: state.epoch,
    madeAt: now,
    operators: state.operators.map(({ name, role }) => ({ name, role })),
    policy: state.policy,
    devices: devices.toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true })),
  };
}

export function writeCopy(path: string, copy: TenantCopy): void {
  writeWhole(path, utf8(`${JSON.stringify(copy, undefined, 1)}\n`), { replace: false });
}

/** Throws `file-missing` or `copy-form`. */
export function readCopy(path: string): TenantCopy {
  const parsed = v.safeParse(TenantCopy, jsonOf(readBounded(path, MAX_COPY_BYTES)));
  if (!parsed.success) throw new Fault("copy-form", `${path}: ${v.getDotPath(parsed.issues[0]) ?? "no JSON"}`);
  return parsed.output;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(text(bytes) ?? "") as unknown;
  } catch {
    // The one documented failure of JSON.parse: a SyntaxError.
    return undefined;
  }
}
