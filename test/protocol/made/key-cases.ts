// Vectors of keys' admission, of the key log and of the roster.
import { toBase64url } from "../../../protocol/bytes.ts";
import { DEFAULT_POLICY } from "../../../protocol/policy.ts";
import type { Signer } from "../../../protocol/signature.ts";
import { DAY } from "../../cast/clock.ts";
import { device } from "../../cast/device.ts";
import { newKeyOf, type Person, person, raw, renewed } from "../../cast/person.ts";
import { idOf } from "../../cast/random.ts";
import { requestOf } from "../../cast/key-request.ts";
import { admissionOf, RosterLog } from "../../cast/roster-log.ts";
import { type EventFields, genesisOf, Tenant } from "../../cast/tenant.ts";
import { flipped } from "../../cast/statement.ts";
import { b64, casesOf, type RefusalCase } from "./case.ts";
import { smallOrderSigner, torsionSigner } from "./weak-signer.ts";

const ada = person("Ada", "admin");
const grace = person("Grace");
const bob = person("Bob", "admin");

const policySet: EventFields = { type: "policy.set", policy: DEFAULT_POLICY };

const genesisBy = (founder: Person) => ({ entry: b64(genesisOf({ founder })) });

export function genesisCases(): readonly RefusalCase[] {
  const withKey = (signer: Signer) => genesisBy({ ...ada, signer });
  const nowhere = { ...ada.signer, publicKey: Uint8Array.fromHex(`02${"00".repeat(31)}`) };
  const good = genesisBy(ada);
  const key = newKeyOf(ada, new Tenant().clock.now + 400 * DAY + 1);
  const lasting = (notAfter: number) => ({
    entry: b64(genesisOf({ founder: ada, genesis: { key: { ...key, notAfter } } })),
  });
  return casesOf("genesis", [
    ["key-form", "a signature key that is the encoding of no point", withKey(nowhere), good],
    [
      "key-small-order",
      "a signature key of order eight, with a signature that fits",
      withKey(smallOrderSigner()),
      good,
    ],
    [
      "key-torsion",
      "an honest key plus a point of order eight, with a signature that fits",
      withKey(torsionSigner()),
      good,
    ],
    ["log-lifetime", "a key for 400 days and a millisecond", lasting(key.notAfter), lasting(key.notAfter - 1)],
  ]);
}
const revoke = (who: Person): EventFields => ({
  type: "operator.revoke",
  operator: who.operator,
  key: who.signer.key,
  reason: "left",
  jobs: "cancel",
});

export function eventCases(): readonly RefusalCase[] {
  const tenant = new Tenant({ founder: ada });
  tenant.add(bob);
  const keyLog = tenant.log.map(b64);
  const given = (event: EventFields, signers: readonly Signer[], more: object = {}) => ({
    keyLog,
    ...more,
    entry: b64(tenant.sign(event, signers)),
  });
  const own = [grace.signer, grace.recovery];
  const add: EventFields = { type: "operator.add", key: tenant.keyOf(grace) };
  const again = (over: object): EventFields => ({ type: "operator.add", key: { ...tenant.keyOf(grace), ...over } });
  const role = (to: string): EventFields => ({ type: "operator.role", operator: bob.operator, role: to });
  const good = given(policySet, [ada.signer]);
  const added = given(add, [ada.signer, ...own]);
  const alone = new Tenant({ founder: ada });
  const aloneRevoked = { keyLog: alone.log.map(b64), entry: b64(alone.sign(revoke(ada), [ada.signer])) };
  const reused = [ada.signer, ...own.slice(0, 1), bob.signer];
  return casesOf("key-event", [
    ["log-gap", "an entry two places after the head", given({ ...policySet, seq: 3 }, [ada.signer]), good],
    [
      "log-fork",
      "an entry on another entry than the head",
      given({ ...policySet, prev: tenant.id }, [ada.signer]),
      good,
    ],
    [
      "log-full",
      "a policy at the first place that is kept for taking power away",
      given({ ...policySet, seq: 9_900 }, [ada.signer], { headAt: 9_899 }),
      given({ ...revoke(bob), seq: 9_900 }, [ada.signer], { headAt: 9_899 }),
    ],
    [
      "log-key-reused",
      "a recovery key that is another's signature key already",
      given(again({ recovery: raw(bob.signer) }), reused),
      added,
    ],
    ["log-proof-missing", "the new keys did not sign", given(add, [ada.signer]), added],
    [
      "log-request-other",
      "an entry carries a request that was made under another name",
      given({ ...add, request: toBase64url(requestOf(tenant, grace, { over: { name: "Mallory" } }).bytes) }, [
        ada.signer,
      ]),
      given({ ...add, request: toBase64url(requestOf(tenant, grace).bytes) }, [ada.signer]),
    ],
    ["log-last-admin", "the only admin revokes himself", aloneRevoked, given(revoke(ada), [ada.signer])],
    [
      "log-operator-unknown",
      "a revocation of somebody who was never there",
      given(revoke(grace), [ada.signer]),
      given(revoke(bob), [ada.signer]),
    ],
    [
      "log-operator-exists",
      "an operator is added who is there already",
      given(again({ operator: bob.operator }), [ada.signer, ...own]),
      added,
    ],
    [
      "log-no-change",
      "an admin is made an admin",
      given(role("admin"), [ada.signer]),
      given(role("operator"), [ada.signer]),
    ],
    [
      "signers-few",
      "an admin who recovered under a waiting time revokes another, instead of being revoked",
      afterRecovery(bob, renewed(ada)),
      afterRecovery(renewed(ada), bob),
    ],
    manyOperators(),
  ]);
}

/** What an admin's client holds against a newcomer's words. */
export function codeCases(): readonly RefusalCase[] {
  const { bytes, nonce } = requestOf(new Tenant({ founder: ada }), grace);
  const revealed = (over: Uint8Array) => ({ request: b64(bytes), nonce: b64(over) });
  return casesOf("reveal", [
    ["code-commit", "a nonce of which one bit is another", revealed(flipped(nonce, 0)), revealed(nonce)],
  ]);
}

/** Ada has recovered her key, and the policy asks such a key to wait a day: one admin's revocation of the other. */
function afterRecovery(whom: Person, by: Person): object {
  const tenant = new Tenant({ founder: ada, policy: { recoveryDelayMs: DAY } });
  tenant.add(bob);
  const next = renewed(ada);
  const recover: EventFields = { type: "operator.recover", key: tenant.keyOf(next) };
  tenant.append(recover, [ada.recovery, next.signer, next.recovery]);
  return { keyLog: tenant.log.map(b64), entry: b64(tenant.sign(revoke(whom), [by.signer])) };
}

/** The longest vector: a log with as many operators as there may be. */
function manyOperators(): readonly ["log-operators-many", string, object, object] {
  const tenant = new Tenant({ founder: ada });
  for (let i = 1; i < 63; i++) tenant.add(person(`operator ${i}`));
  const given = () => {
    const event: EventFields = { type: "operator.add", key: tenant.keyOf(grace) };
    const entry = tenant.sign(event, [ada.signer, grace.signer, grace.recovery]);
    return { keyLog: tenant.log.map(b64), entry: b64(entry) };
  };
  const mended = given();
  tenant.add(person("operator 63"));
  return ["log-operators-many", "a sixty-fifth operator, instead of a sixty-fourth", given(), mended];
}

export function rosterCases(): readonly RefusalCase[] {
  const tenant = new Tenant({ founder: ada });
  const early = tenant.head;
  tenant.setPolicy({ prompt: "day" });
  const log = new RosterLog(tenant);
  const [web, mail] = [device("web-1"), device("mail-1")];
  const once = log.addToken("once", { maxUses: 2 });
  log.admit(web, ada, { token: once.token });
  const keyLog = tenant.log.map(b64);
  const roster = log.log.map(b64);
  const given = (event: Parameters<RosterLog["sign"]>[0]) => ({
    keyLog,
    roster,
    entry: b64(log.sign(event, [ada.signer])),
  });
  const admit = (over: object) => given({ ...admissionOf(mail, tenant), ...over });
  const good = admit({});
  const remove = (id: string) => given({ type: "device.remove", device: id });
  const withToken = { token: once.token };
  const [late, full] = [tenant.clock.now + 30 * DAY, { maxUses: 1 }];
  const spent = () => {
    const other = new RosterLog(tenant);
    other.addToken("once", full);
    other.admit(web, ada, withToken);
    const entry = other.sign({ ...admissionOf(mail, tenant), ...withToken }, [ada.signer]);
    return { keyLog, roster: other.log.map(b64), entry: b64(entry) };
  };
  const returning = (over: object) => {
    const other = new RosterLog(tenant);
    const { token } = other.addToken("once", { maxUses: 2 });
    other.admit(web, ada, { token });
    other.append({ type: "device.remove", device: web.id }, [ada.signer]);
    const entry = other.sign({ ...admissionOf(web, tenant), token, ...over }, [ada.signer]);
    return { keyLog, roster: other.log.map(b64), entry: b64(entry) };
  };
  return casesOf("roster-event", [
    ["roster-device-unknown", "a device is removed that is not there", remove(mail.id), remove(web.id)],
    [
      "roster-device-exists",
      "a device is admitted a second time",
      admit({ ...admissionOf(web, tenant), name: "web-2" }),
      good,
    ],
    [
      "roster-device-removed",
      "a device that was removed comes back by its token, instead of by hand",
      returning({}),
      returning({ token: undefined }),
    ],
    ["roster-name-taken", "a name that differs from another in case alone", admit({ name: "WEB-1" }), good],
    [
      "roster-backdated",
      "a place of the key log below that of the entry before",
      given({ type: "anchor", keyHead: early }),
      given({ type: "anchor" }),
    ],
    ["roster-token-unknown", "a token that was never added", admit({ token: idOf("no token") }), admit(withToken)],
    [
      "token-expired",
      "a millisecond after the token's end",
      admit({ ...withToken, time: late + 1 }),
      admit({ ...withToken, time: late }),
    ],
    ["token-spent", "a token for one device and a second device", spent(), admit(withToken)],
  ]);
}
