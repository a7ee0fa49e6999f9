// The roster's story: admission, names, classes, groups, tokens; and what a device believes of itself.
import { describe, expect, test } from "vitest";
import { followDeviceEntry } from "../../protocol/device-entry.ts";
import { emptyRoster, judgeRosterEvent, restoreRoster, snapshotRoster, usableToken } from "../../protocol/roster.ts";
import { DAY } from "../cast/clock.ts";
import { device } from "../cast/device.ts";
import { person } from "../cast/person.ts";
import { idOf } from "../cast/random.ts";
import { admissionOf, RosterLog } from "../cast/roster-log.ts";
import { signersOf, Tenant } from "../cast/tenant.ts";
import { codeOf } from "./refused.ts";

const ada = person("Ada", "admin");
const bob = person("Bob");
const hugo = person("Hugo", "auditor");
const [web, mail] = [device("web-1"), device("mail-1")];

function rosterOf(...others: readonly (typeof ada)[]): RosterLog {
  const tenant = new Tenant({ founder: ada });
  for (const other of others) tenant.add(other);
  return new RosterLog(tenant);
}

describe("a device", () => {
  test("is admitted once, under a name that nobody has in any case of letters, with the id of its key", () => {
    const log = rosterOf();
    log.admit(web);
    expect(codeOf(() => log.admit(web))).toBe("roster-device-exists");
    expect(codeOf(() => log.admit(mail, ada, { name: "WEB-1" }))).toBe("roster-name-taken");
    expect(codeOf(() => log.admit(mail, ada, { device: device("other").id }))).toBe("device-id");
    log.admit(mail, ada, { groups: ["servers"] });
    expect([...log.roster.devices.values()].map(({ name }) => name)).toEqual(["web-1", "mail-1"]);
    expect(log.roster.groups.get("servers")).toEqual(new Set([mail.id]));
  });

  test("is renamed, moved and removed, and leaves its groups with that", () => {
    const log = rosterOf();
    log.admit(web, ada, { groups: ["servers"] });
    log.append({ type: "device.name", device: web.id, name: "www" }, [ada.signer]);
    log.append({ type: "device.class", device: web.id, class: "critical" }, [ada.signer]);
    expect(log.roster.devices.get(web.id)).toMatchObject({ name: "www", class: "critical" });
    log.append({ type: "device.remove", device: web.id }, [ada.signer]);
    expect(log.roster.groups.get("servers")).toEqual(new Set());
    expect(log.roster.names).toEqual(new Map());
    expect(codeOf(() => log.append({ type: "device.remove", device: web.id }, [ada.signer]))).toBe(
      "roster-device-unknown",
    );
  });

  test("is put into groups that know it", () => {
    const log = rosterOf();
    const change = { type: "group.change", group: "servers", add: [web.id], remove: [] } as const;
    expect(codeOf(() => log.append(change, [ada.signer]))).toBe("roster-device-unknown");
    expect(codeOf(() => log.append({ type: "group.remove", group: "servers" }, [ada.signer]))).toBe("log-no-change");
    log.admit(web);
    log.append(change, [ada.signer]);
    log.append({ ...change, add: [], remove: [web.id] }, [ada.signer]);
    expect(log.roster.groups.get("servers")).toEqual(new Set());
    log.append({ type: "group.remove", group: "servers" }, [ada.signer]);
    expect(log.roster.groups.size).toBe(0);
  });
});

describe("an enrolment token", () => {
  test("admits as many devices as it says, until it ends", () => {
    const log = rosterOf();
    const { token } = log.addToken("rollout", { maxUses: 1 });
    expect(codeOf(() => log.admit(web, ada, { token: idOf("no token") }))).toBe("roster-token-unknown");
    log.admit(web, ada, { token });
    expect(codeOf(() => log.admit(mail, ada, { token }))).toBe("token-spent");
    const late = log.addToken("late", { notAfter: log.tenant.clock.now + DAY });
    log.tenant.clock.turn(DAY + 1);
    expect(codeOf(() => log.admit(mail, ada, { token: late.token }))).toBe("token-expired");
    expect(codeOf(() => usableToken(log.roster, late.token, log.tenant.clock.now))).toBe("token-expired");
    expect(codeOf(() => log.addToken("late"))).toBe("log-no-change");
  });
});

/** A roster whose only device came by a token for nine and was removed. */
function afterRemoval() {
  const log = rosterOf();
  const { token } = log.addToken("rollout", { maxUses: 9 });
  log.admit(web, ada, { token });
  log.append({ type: "device.remove", device: web.id }, [ada.signer]);
  return { log, token };
}

describe("a device that was removed", () => {
  test("is not brought back by its token, whoever asks and from whatever snapshot", () => {
    const { log, token } = afterRemoval();
    expect(codeOf(() => log.admit(web, ada, { token }))).toBe("roster-device-removed");
    expect(codeOf(() => log.admit(mail, ada, { token }))).toBe("accepted");
    const restored = restoreRoster(snapshotRoster(log.roster));
    expect(restored).toEqual(log.roster);
    const again = log.sign({ ...admissionOf(web, log.tenant), token }, [ada.signer]);
    expect(codeOf(() => judgeRosterEvent(restored, again, log.tenant.view))).toBe("roster-device-removed");
  });

  test("returns by hand, and is then as any other", () => {
    const { log, token } = afterRemoval();
    log.admit(web);
    expect(log.roster.removed).toEqual(new Set());
    expect(codeOf(() => log.admit(web, ada, { token }))).toBe("roster-device-exists");
  });
});

describe("an entry", () => {
  test("follows the head, starts at the tenant and belongs to it", () => {
    const log = rosterOf();
    expect(codeOf(() => log.append({ type: "anchor", seq: 1 }, [ada.signer]))).toBe("log-gap");
    expect(codeOf(() => log.append({ type: "anchor", prev: web.id }, [ada.signer]))).toBe("log-fork");
    expect(codeOf(() => log.append({ type: "anchor", tenant: web.id }, [ada.signer]))).toBe("tenant-other");
    log.append({ type: "anchor" }, [ada.signer]);
    expect(codeOf(() => log.append({ type: "anchor", seq: 0, prev: log.tenant.id }, [ada.signer]))).toBe("log-fork");
  });

  test("is signed by an operator who was one at the place of the key log that it names", () => {
    const log = rosterOf(bob, hugo);
    const before = log.tenant.head;
    log.tenant.revoke(bob);
    expect(codeOf(() => log.append({ type: "anchor" }, [bob.signer]))).toBe("signer-revoked");
    expect(codeOf(() => log.append({ type: "anchor" }, [hugo.signer]))).toBe("signer-role");
    expect(codeOf(() => log.append({ type: "anchor" }, [person("Mallory").signer]))).toBe("signer-unknown");
    expect(codeOf(() => log.append({ type: "anchor", keyHead: before }, [bob.signer]))).toBe("accepted");
  });

  test("cannot go below a place of the key log that an earlier one named", () => {
    const log = rosterOf(bob);
    const before = log.tenant.head;
    log.tenant.revoke(bob);
    log.append({ type: "anchor" }, [ada.signer]);
    expect(codeOf(() => log.append({ type: "anchor", keyHead: before }, [bob.signer]))).toBe("roster-backdated");
  });

  test("names a place of our own key log", () => {
    const log = rosterOf();
    const { seq } = log.tenant.head;
    expect(codeOf(() => log.append({ type: "anchor", keyHead: { seq, id: web.id } }, [ada.signer]))).toBe("log-fork");
    const ahead = { seq: seq + 1, id: web.id };
    expect(codeOf(() => log.append({ type: "anchor", keyHead: ahead }, [ada.signer]))).toBe("log-gap");
  });

  test("that is refused leaves the roster as it was", () => {
    const log = rosterOf();
    log.admit(web);
    const before = snapshotRoster(log.roster);
    expect(codeOf(() => log.admit(mail, ada, { name: "web-1", groups: ["new"] }))).toBe("roster-name-taken");
    expect(snapshotRoster(log.roster)).toEqual(before);
    expect(restoreRoster(before)).toEqual(log.roster);
  });
});

describe("a class that asks for two", () => {
  const critical = { jobThresholds: [{ kind: "any", class: "critical", count: 2 } as const] };
  const lowered = { type: "device.class", device: web.id, class: "standard" } as const;

  test("is left only by two operators", () => {
    const log = rosterOf(bob);
    log.tenant.setPolicy(critical);
    log.admit(web, ada, { class: "critical" });
    expect(codeOf(() => log.append(lowered, [bob.signer]))).toBe("signers-few");
    expect(codeOf(() => log.append(lowered, signersOf([ada, bob])))).toBe("accepted");
  });

  test("does not undo what one could do before it was asked for: a roster judges alike for ever", () => {
    const log = rosterOf(bob);
    log.admit(web, ada, { class: "critical" });
    log.append(lowered, [bob.signer]);
    log.tenant.setPolicy(critical);
    const again = emptyRoster(log.tenant.id);
    for (const bytes of log.log) judgeRosterEvent(again, bytes, log.tenant.view);
    expect(again).toEqual(log.roster);
  });
});

describe("a device's own standing", () => {
  const critical = { jobThresholds: [{ kind: "any", class: "critical", count: 2 } as const] };
  const start = { keySeq: -1, seq: -1, name: undefined, class: "standard" };

  test("follows its name and class, never back", () => {
    const log = rosterOf();
    log.admit(web);
    log.append({ type: "device.class", device: web.id, class: "kiosk" }, [ada.signer]);
    const [admitted, moved] = log.log;
    if (admitted === undefined || moved === undefined) throw new Error("a roster of two entries");
    const by = { keyLog: log.tenant.view, device: web.id };
    const last = followDeviceEntry(followDeviceEntry(start, admitted, by), moved, by);
    expect(last).toEqual({ keySeq: 0, seq: 1, name: "web-1", class: "kiosk" });
    expect(followDeviceEntry(last, admitted, by)).toBe(last);
    expect(codeOf(() => followDeviceEntry(start, admitted, { ...by, device: mail.id }))).toBe("device-other");
  });

  test("hears of what comes after a revocation, whatever count the revoked operator gave an entry", () => {
    const log = rosterOf(bob);
    const { head } = log.tenant;
    const name = (to: string, over: object, by: typeof ada) =>
      log.sign({ type: "device.name", device: web.id, name: to, ...over }, [by.signer]);
    const deafening = name("mine", { seq: 999_999 }, bob);
    log.tenant.revoke(bob);
    const by = { keyLog: log.tenant.view, device: web.id };
    const captured = followDeviceEntry(start, deafening, by);
    expect(captured).toMatchObject({ keySeq: head.seq, seq: 999_999, name: "mine" });
    const heard = followDeviceEntry(captured, name("web-1", { seq: 3 }, ada), by);
    expect(heard).toMatchObject({ keySeq: head.seq + 1, seq: 3, name: "web-1" });
    expect(followDeviceEntry(heard, deafening, by)).toBe(heard);
    expect(followDeviceEntry(heard, name("mine", { seq: 1_000_000, keyHead: head }, bob), by)).toBe(heard);
  });

  test("leaves a class of two only by two who are active as the device knows it", () => {
    const cleo = person("Cleo");
    const log = rosterOf(bob, cleo);
    log.tenant.setPolicy(critical);
    const at = { ...start, class: "critical" };
    const lowered = { type: "device.class", device: web.id, class: "standard", keyHead: log.tenant.head } as const;
    log.tenant.revoke(cleo);
    const by = { keyLog: log.tenant.view, device: web.id };
    const follow = (signers: readonly (typeof ada)[]) => () =>
      followDeviceEntry(at, log.sign(lowered, signersOf(signers)), by);
    expect(codeOf(follow([bob]))).toBe("signers-few");
    expect(codeOf(follow([bob, cleo]))).toBe("signers-few");
    expect(follow([ada, bob])().class).toBe("standard");
  });

  test("keeps the deployment's class where one person admits the device to less", () => {
    const log = rosterOf(bob);
    log.tenant.setPolicy(critical);
    const { keyLog, device: id } = { keyLog: log.tenant.view, device: web.id };
    log.admit(web);
    const [admitted] = log.log;
    if (admitted === undefined) throw new Error("a roster of one entry");
    expect(followDeviceEntry({ ...start, class: "critical" }, admitted, { keyLog, device: id }).class).toBe("critical");
  });
});
