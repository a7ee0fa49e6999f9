// A roster entry about one device, as that device takes it: its name and its class, without the rest of the roster (SPEC 5.4).
import { readEnvelopeOf } from "./envelope.ts";
import type { KeyLogView } from "./key-view.ts";
import { jobThreshold } from "./policy.ts";
import { refuse } from "./refusal.ts";
import { readVerifiedRosterEvent } from "./roster.ts";

/** What a device knows of itself from its owner's roster. `seq` is the place of the last entry, -1 before any. */
export type DeviceStanding = { readonly seq: number; readonly name: string | undefined; readonly class: string };

/**
 * The standing after an entry; the same standing for one that is old or says nothing about name and class.
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
  if (event.seq <= standing.seq) return standing;
  switch (event.type) {
    case "device.name":
      return { ...standing, seq: event.seq, name: event.name };
    case "device.class": {
      const needed = jobThreshold(keyLog.state.policy, { kind: "run", class: standing.class });
      if (signers.size < needed) throw refuse("signers-few", `${signers.size} of ${needed} operators signed`);
      return { ...standing, seq: event.seq, class: event.class };
    }
    case "device.admit": {
      // Admission cannot lower what the deployment set: with two persons asked for, one cannot admit the device to less.
      const isLowering = jobThreshold(keyLog.state.policy, { kind: "run", class: standing.class }) > signers.size;
      return { seq: event.seq, name: event.name, class: isLowering ? standing.class : event.class };
    }
    default:
      return { ...standing, seq: event.seq };
  }
}
