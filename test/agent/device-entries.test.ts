// What a device keeps of roster entries about itself, in its real state.
import { expect, test } from "vitest";
import { takeDeviceEntries } from "../../agent/binding/device-entries.ts";
import { OwnerState } from "../../agent/binding/owner-state.ts";
import { person } from "../cast/person.ts";
import { RosterLog, type RosterFields } from "../cast/roster-log.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, openState, ownerOf } from "./bound.ts";

const ada = person("Ada", "admin");
const bob = person("Bob");

function boundDevice() {
  const tenant = new Tenant({ founder: ada });
  tenant.add(bob);
  const before = tenant.head;
  tenant.revoke(bob);
  const state = openState();
  bindTo(state, tenant);
  const device = deviceOf(state);
  const log = new RosterLog(tenant);
  const named = (name: string, over: object, by = ada) => {
    const event: RosterFields = { type: "device.name", device: device.id, name, ...over };
    return log.sign(event, [by.signer]);
  };
  const take = (...entries: readonly Uint8Array[]) => {
    const refused: string[] = [];
    const onRefused = ({ code }: { code: string }) => void refused.push(code);
    takeDeviceEntries(new OwnerState(state, ownerOf(state)), { entries, now: tenant.clock.now, onRefused });
    return refused;
  };
  return { state, before, named, take };
}

test("an entry that knows of a revocation outlasts any count of the revoked, across restarts", () => {
  const { state, before, named, take } = boundDevice();
  take(named("mine", { seq: 999_999, keyHead: before }, bob));
  expect(ownerOf(state).name).toBe("mine");
  take(named("web1", { seq: 1 }));
  expect(ownerOf(state)).toMatchObject({ name: "web1", rosterSeq: 1, rosterKeySeq: 2 });
  take(named("mine", { seq: 1_000_000, keyHead: before }, bob));
  expect(ownerOf(state).name).toBe("web1");
});

test("an entry that is refused keeps none after it from being heard", () => {
  const { state, named, take } = boundDevice();
  expect(take(named("mine", {}, bob), named("web1", { seq: 1 }))).toEqual(["signer-revoked"]);
  expect(ownerOf(state).name).toBe("web1");
});
