// A roster entry about one device, as that device takes it: its name and its class, without the rest of the roster (SPEC 5.4).
import { readEnvelopeOf } from "./envelope.ts";
import { isRevokedByFork } from "./key-state.ts";
import type { KeyLogView } from "./key-view.ts";
import { jobThreshold } from "./policy.ts";
import { refuse } from "./refusal.ts";
import { readVerifiedRosterEvent } from "./roster.ts";
import type { RosterEvent } from "./roster-event.ts";

/** What a device knows of itself from its owner's roster. */
export type DeviceStanding = {
  /** Place of the key log that the last entry names, -1 before any. */
  readonly keySeq: number;
  /** Place of the last entry, -1 before any. */
  readonly seq: number;
  readonly name: string | undefined;
  readonly class: string;
};

/**
 * The standing after an entry; the very standing that was given for an entry that is old. An entry is newer by the place
 * of the key log that it names, then by its own: so nobody who was revoked since makes later entries old by a high count.
 * A class that asks for two signatures is left only by two. Throws as `readVerifiedRosterEvent`, `tenant-other`,
 * `device-other` or `signers-few`.
 */
export function followDeviceEntry(
  standing: DeviceStanding,
  bytes: Uint8Array,
  { keyLog, device }: { readonly keyLog: KeyLogView; readonly device: string },
): DeviceStanding {
  const { event, signers } = readVerifiedRosterEvent(readEnvelopeOf("roster-event", bytes), keyLog);
  if (event.tenant !== keyLog.state.tenant) throw refuse("tenant-other", `tenant ${event.tenant}`);
  if (!("device" in event) || event.device !== device) throw refuse("device-other", event.type);
  if (isOld(event, standing)) return standing;
  const next = { ...standing, keySeq: event.keyHead.seq, seq: event.seq };
  switch (event.type) {
    case "device.name":
      return { ...next, name: event.name };
    case "device.class":
      requireMayLeave(standing.class, signers, keyLog);
      return { ...next, class: event.class };
    case "device.admit": {
      // Admission cannot lower what the deployment set: with two persons asked for, one cannot admit the device to less.
      const { able, needed } = leaving(standing.class, signers, keyLog);
      return { ...next, name: event.name, class: able < needed ? standing.class : event.class };
    }
    default:
      return next;
  }
}

function isOld({ keyHead, seq }: RosterEvent, standing: DeviceStanding): boolean {
  return keyHead.seq === standing.keySeq ? seq <= standing.seq : keyHead.seq < standing.keySeq;
}

function requireMayLeave(from: string, signers: ReadonlySet<string>, keyLog: KeyLogView): void {
  const { able, needed } = leaving(from, signers, keyLog);
  if (able < needed) throw refuse("signers-few", `${able} of ${needed} operators who are active signed`);
}

/**
 * How many must sign that a device leaves its class, and how many of the signers may still sign here: where one
 * suffices, whoever could sign at the place that the entry names; where several must, nobody who was revoked since.
 */
function leaving(from: string, signers: ReadonlySet<string>, { state }: KeyLogView): { able: number; needed: number } {
  const active = state.operators.filter(({ role, key }) => role !== "auditor" && !isRevokedByFork(state, key));
  const asked = jobThreshold(state.policy, { kind: "run", class: from });
  const needed = Math.max(1, Math.min(asked, active.length));
  if (asked === 1) return { able: signers.size, needed };
  return { able: active.filter(({ operator }) => signers.has(operator)).length, needed };
}
