// The entries of a roster, as they are signed: devices, their names and classes, groups, enrolment tokens (SPEC 5.1).
import * as v from "valibot";
import { Digest, Id, LogPlace, Name, readFields, SealingKey, Seq, Time, Word, whole } from "./fields.ts";
import { fromBase64url } from "./bytes.ts";
import {
  MAX_ADMITTED_GROUPS,
  MAX_EVENT_BYTES,
  MAX_GROUP_CHANGE,
  MAX_OPERATORS,
  MAX_TOKEN_USES,
  WRAP_BYTES,
} from "./limits.ts";

/** ASCII only, so that no two names look alike; compared without case. */
export const DeviceName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/));

const Wrap = v.pipe(
  v.string(),
  v.check((spelling) => fromBase64url(spelling)?.length === WRAP_BYTES, `unpadded base64url of ${WRAP_BYTES} bytes`),
);
const Wraps = v.pipe(v.array(v.strictObject({ to: Digest, wrap: Wrap })), v.maxLength(MAX_OPERATORS));
const Groups = v.pipe(v.array(Word), v.maxLength(MAX_ADMITTED_GROUPS));
const Devices = v.pipe(v.array(Digest), v.maxLength(MAX_GROUP_CHANGE));

/** `keyHead` is the key log as the signer knew it: the signer's key is judged at that place. */
const chained = { tenant: Digest, seq: Seq, prev: Digest, time: Time, keyHead: LogPlace };

const RosterEvent = v.variant("type", [
  v.strictObject({
    ...chained,
    type: v.literal("device.admit"),
    device: Digest,
    sig: Digest,
    enc: SealingKey,
    name: DeviceName,
    class: Word,
    groups: Groups,
    /** Id of the enrolment request that was admitted. */
    request: Digest,
    /** The token whose proof was checked; absent where a person admitted by hand. */
    token: v.exactOptional(Id),
  }),
  v.strictObject({ ...chained, type: v.literal("device.name"), device: Digest, name: DeviceName }),
  v.strictObject({ ...chained, type: v.literal("device.class"), device: Digest, class: Word }),
  v.strictObject({ ...chained, type: v.literal("device.remove"), device: Digest }),
  v.strictObject({ ...chained, type: v.literal("group.change"), group: Word, add: Devices, remove: Devices }),
  v.strictObject({ ...chained, type: v.literal("group.remove"), group: Word }),
  v.strictObject({
    ...chained,
    type: v.literal("token.add"),
    token: Id,
    /** `auto`: a device with a proof is admitted whenever an operator's client is unlocked. */
    mode: v.picklist(["auto", "hand"]),
    maxUses: whole(1, MAX_TOKEN_USES),
    notAfter: Time,
    class: Word,
    groups: Groups,
    /** The token's secret, sealed to operators' encryption keys (thumbprints in `to`). */
    wraps: Wraps,
  }),
  /** A token's secret, sealed by somebody who can open it to those who cannot: keys that came since. */
  v.strictObject({ ...chained, type: v.literal("token.wrap"), token: Id, wraps: Wraps }),
  /** An admin typed other digits than this request for a key shows (SPEC 4.9). */
  v.strictObject({ ...chained, type: v.literal("code.mismatch"), request: Digest, name: Name }),
  /** Pins the key log's place, so that nobody who lost a key since can write below it. */
  v.strictObject({ ...chained, type: v.literal("anchor") }),
]);
export type RosterEvent = Readonly<v.InferOutput<typeof RosterEvent>>;

export function readRosterEvent(payload: Uint8Array): RosterEvent {
  return readFields(RosterEvent, payload, MAX_EVENT_BYTES);
}
