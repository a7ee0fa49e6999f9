// Vectors of a job at the one door: its signatures, its address, its time, the log, its body.
import { MAX_FILE_BYTES } from "../../../protocol/limits.ts";
import type { Policy } from "../../../protocol/policy.ts";
import { DAY, HOUR, MINUTE } from "../../cast/clock.ts";
import { type Device, device } from "../../cast/device.ts";
import { type Job, jobFor, type JobSetup } from "../../cast/job.ts";
import { fileFor } from "../../cast/job-file.ts";
import { person, renewed } from "../../cast/person.ts";
import { digestOf } from "../../cast/random.ts";
import { edited, flipped } from "../../cast/statement.ts";
import { signersOf, Tenant } from "../../cast/tenant.ts";
import { b64, casesOf, type RefusalCase } from "./case.ts";

const ada = person("Ada", "admin");
const grace = person("Grace");
const [web, mail] = [device("web-1"), device("mail-1")];

type Setup = Partial<JobSetup> & {
  readonly context?: object;
  readonly entries?: number;
  readonly change?: (job: Job) => object;
};

/** A job by Grace for web-1, as web-1 finds it. `entries` of the key log are known to the device. */
function given({ tenant = organisation(), context, entries, change, ...setup }: Setup = {}): object {
  const job = jobFor({ tenant, devices: [web], signers: [grace.signer], ...setup });
  const sealed = job.sealedFor(web);
  return {
    keyLog: tenant.log.slice(0, entries).map(b64),
    device: web.id,
    class: "standard",
    agentVersion: 1,
    now: tenant.clock.now,
    heardAt: tenant.clock.now,
    vouches: { [ada.operator]: tenant.clock.now },
    sealingKey: b64(web.sealing.privateKey),
    ...context,
    envelope: b64(job.envelope),
    wrap: b64(sealed.wrap),
    body: b64(sealed.body),
    ...change?.(job),
  };
}

function organisation(policy: Partial<Policy> = {}): Tenant {
  const tenant = new Tenant({ founder: ada, policy });
  tenant.add(grace);
  return tenant;
}

function changed(change: (tenant: Tenant) => void): Tenant {
  const tenant = organisation();
  change(tenant);
  return tenant;
}

function recovered(delayMs: number): object {
  const tenant = organisation({ recoveryDelayMs: delayMs });
  const next = renewed(grace);
  const recover = { type: "operator.recover", key: tenant.keyOf(next) } as const;
  tenant.append(recover, [grace.recovery, next.signer, next.recovery]);
  return given({ tenant, signers: [next.signer] });
}

/** A job by somebody whom Ada's recovered key has added alone. */
function addedByRecovered(delayMs: number): object {
  const tenant = organisation({ recoveryDelayMs: delayMs });
  const next = renewed(ada);
  const recover = { type: "operator.recover", key: tenant.keyOf(next) } as const;
  tenant.append(recover, [ada.recovery, next.signer, next.recovery]);
  const puppet = person("Puppet");
  tenant.add(puppet, [next]);
  return given({ tenant, signers: [puppet.signer] });
}

const over = (manifest: object, setup: Setup = {}) => given({ ...setup, manifest: { ...manifest } });
const bodyOver = (body: object) => given({ body: { ...body } });
const swapped = ({ envelope }: Job) => ({
  envelope: b64(
    edited(envelope, ({ signatures: [a, b], ...json }) => ({ ...json, signatures: [a, { ...b, sig: a?.sig }] })),
  ),
});
const echo = jobFor({ tenant: organisation(), devices: [web], word: "echo" });
const lasting = (ms: number) => ({ ...echo, manifest: { expiresAt: new Tenant().clock.now + ms } });
const twoForCancels = (): Tenant => organisation({ jobThresholds: [{ kind: "cancel", class: "any", count: 2 }] });
const two = (): Tenant => organisation({ jobThresholds: [{ kind: "run", class: "any", count: 2 }] });

export function signerCases(): readonly RefusalCase[] {
  const both = { signers: signersOf([grace, ada]) };
  const auditor = { role: "auditor", type: "operator.role", operator: grace.operator } as const;
  const now = new Tenant().clock.now;
  const late = { issuedAt: now + 180 * DAY, notBefore: now + 180 * DAY, expiresAt: now + 181 * DAY };
  const atEnd = (ms: number) =>
    over(late, { context: { now: now + 180 * DAY + ms, vouches: { [ada.operator]: now + 180 * DAY } } });
  return casesOf("job", [
    [
      "signature-bad",
      "a good signature beside one that does not fit",
      given({ ...both, change: swapped }),
      given(both),
    ],
    [
      "signer-unknown",
      "a job by somebody of another organisation",
      given({ signers: [person("Mallory").signer] }),
      given(),
    ],
    [
      "signer-revoked",
      "a job by somebody whom the log has revoked",
      given({ tenant: changed((tenant) => tenant.revoke(grace)) }),
      given(),
    ],
    [
      "signer-role",
      "a job by somebody who was made an auditor",
      given({ tenant: changed((tenant) => tenant.append(auditor, [ada.signer])) }),
      given(),
    ],
    ["signer-expired", "a job at the millisecond in which its signer's key ends", atEnd(0), atEnd(-1)],
    ["signer-delayed", "a job by a key that was recovered under a day's wait", recovered(DAY), recovered(0)],
    [
      "signer-delayed",
      "a job by a key that only an admin under a day's wait has approved",
      addedByRecovered(DAY),
      addedByRecovered(0),
    ],
    [
      "signers-few",
      "one signature where the policy asks for two",
      given({ tenant: two() }),
      given({ tenant: two(), ...both }),
    ],
    [
      "signers-few",
      "a cancel by one person where the policy asks two for a cancel",
      given({ tenant: twoForCancels(), cancels: [echo] }),
      given({ tenant: twoForCancels() }),
    ],
  ]);
}

export function addressCases(): readonly RefusalCase[] {
  const closed = changed((tenant) => tenant.append({ type: "tenant.close", reason: "merged" }, [ada.signer]));
  return casesOf("job", [
    ["field-missing", "a manifest without a batch", over({ batch: undefined }), given()],
    ["field-unknown", "a manifest with a field of a later version", over({ priority: 1 }), given()],
    ["field-invalid", "a manifest of a kind that is not known", over({ kind: "format" }), over({ kind: "run" })],
    ["tenant-other", "a job of another tenant by the same key", over({ tenant: digestOf("other") }), given()],
    [
      "tenant-closed",
      "a job after the tenant was closed",
      given({ tenant: closed }),
      given({ tenant: closed, entries: 2, manifest: { keyHead: closed.stateAt(1).head } }),
    ],
    ["agent-old", "a job for agents from 2 on, where this is 1", over({ minAgent: 2 }), over({ minAgent: 1 })],
    ["device-other", "a job for another device", over({ targets: [mail.id] }), over({ targets: [mail.id, web.id] })],
  ]);
}

export function timeCases(): readonly RefusalCase[] {
  const now = new Tenant().clock.now;
  const from = (ms: number) => over({ issuedAt: now + ms, notBefore: now + ms, expiresAt: now + ms + HOUR });
  const until = (ms: number) => over({ expiresAt: now + ms });
  const claimed = (by: string | undefined) => given({ context: by === undefined ? {} : { claimed: by } });
  const { statement } = jobFor({ tenant: organisation(), devices: [web], signers: [grace.signer] });
  const tenant = organisation();
  tenant.setPolicy({ prompt: "day" });
  const aged = organisation();
  aged.clock.turn(15 * DAY);
  const elsewhere = { keyHead: { seq: 1, id: digestOf("another line") } };
  return casesOf("job", [
    [
      "job-not-yet",
      "signed ten minutes and a millisecond in the device's future",
      from(10 * MINUTE + 1),
      from(10 * MINUTE),
    ],
    ["job-expired", "at the millisecond of its end", from(-HOUR), from(1 - HOUR)],
    ["job-lifetime", "a window of thirty days and a millisecond", until(30 * DAY + 1), until(30 * DAY)],
    [
      "job-lifetime",
      "a job whose last occurrence is due at its end",
      over({ runs: { everyMs: 12 * HOUR, count: 3 } }),
      over({ runs: { everyMs: 12 * HOUR - 1, count: 3 } }),
    ],
    ["job-repeated", "a job that the ledger has", claimed(statement), claimed(undefined)],
    [
      "job-id-reused",
      "a job under an id that the ledger has for another",
      claimed(digestOf("another job")),
      claimed(undefined),
    ],
    [
      "job-log-unknown",
      "a signer who knows an entry that the device cannot get",
      given({ tenant, entries: 2 }),
      given({ tenant }),
    ],
    ["job-log-fork", "a signer who knows another entry at one place", over(elsewhere, { tenant }), given({ tenant })],
    [
      "job-stale",
      "nobody but the signer has vouched for the log for fifteen days",
      given({ tenant: aged, context: { vouches: {} } }),
      given({ tenant: aged }),
    ],
  ]);
}

function threeFiles(size: number) {
  return ["a", "b", "c"].map((path) => ({ ...fileFor({ path, content: new Uint8Array(1) }).file, size }));
}

const WINDOW = { days: ["sat", "sun"], from: "22:00", to: "04:00" };
const windowOf = (from: string, to: string) => ({ window: { ...WINDOW, from, to } });
const rounds = (everyMs: number, count: number) => ({ runs: { everyMs, count } });

export function bodyCases(): readonly RefusalCase[] {
  const moved = ({ wraps, devices }: { wraps: readonly Uint8Array[]; devices: readonly Device[] }) => ({
    wrap: b64(wraps[devices.indexOf(mail)] ?? new Uint8Array(0)),
  });
  const devices = [web, mail];
  const named = { body: { sha256: digestOf("other"), size: jobFor({ tenant: organisation(), devices }).plain.length } };
  return casesOf("job", [
    [
      "body-sealed",
      "the wrap is another device's",
      given({ devices, change: ({ wraps }) => moved({ wraps, devices }) }),
      given({ devices }),
    ],
    [
      "body-sealed",
      "one bit of the sealed body was turned",
      given({ change: ({ body }) => ({ body: b64(flipped(body, 9)) }) }),
      given(),
    ],
    ["body-digest", "the body that opens is not the one that was signed for", over(named), given()],
    ["field-invalid", "a body with a shell that is not known", bodyOver({ shell: "fish" }), bodyOver({ shell: "zsh" })],
    [
      "field-invalid",
      "a window of no length",
      bodyOver(windowOf("22:00", "22:00")),
      bodyOver(windowOf("22:00", "04:00")),
    ],
    [
      "field-invalid",
      "a window from an hour that is none",
      bodyOver(windowOf("24:00", "04:00")),
      bodyOver(windowOf("00:00", "24:00")),
    ],
    [
      "field-invalid",
      "a window on no day",
      bodyOver({ window: { ...WINDOW, days: [] } }),
      bodyOver({ window: WINDOW }),
    ],
    [
      "field-invalid",
      "a window that names a day twice",
      bodyOver({ window: { ...WINDOW, days: ["sat", "sat"] } }),
      bodyOver({ window: WINDOW }),
    ],
    [
      "field-invalid",
      "a cancel that comes round",
      given({ cancels: [echo], manifest: rounds(HOUR, 2) }),
      given({ cancels: [echo] }),
    ],
    [
      "field-invalid",
      "a job that comes round in less than a minute",
      over(rounds(MINUTE - 1, 2)),
      over(rounds(MINUTE, 2)),
    ],
    ["field-invalid", "a job that comes round once", over(rounds(HOUR, 1)), over(rounds(HOUR, 2))],
    ["field-invalid", "a job that comes round 1,001 times", over(rounds(MINUTE, 1001)), over(rounds(MINUTE, 1000))],
    [
      "field-missing",
      "the body of a run under a manifest that says cancel",
      over({ kind: "cancel" }),
      over({ kind: "run" }),
    ],
    [
      "field-invalid",
      "a cancel that is for later",
      given({ cancels: [echo], manifest: { notBefore: new Tenant().clock.now + 1 } }),
      given({ cancels: [echo], manifest: { notBefore: new Tenant().clock.now } }),
    ],
    [
      "field-invalid",
      "a cancel that would bar a job for longer than one can live",
      given({ cancels: [lasting(30 * DAY + 10 * MINUTE + 1)] }),
      given({ cancels: [lasting(30 * DAY + 10 * MINUTE)] }),
    ],
    [
      "field-invalid",
      "a file whose path climbs",
      bodyOver({ files: [fileFor({ path: "/opt/../etc/shadow" }).file] }),
      bodyOver({ files: [fileFor({ path: "/opt/app/shadow" }).file] }),
    ],
    [
      "field-invalid",
      "a file whose name is a device's on Windows",
      bodyOver({ files: [fileFor({ path: "nul.txt" }).file] }),
      bodyOver({ files: [fileFor({ path: "null.txt" }).file] }),
    ],
    [
      "field-invalid",
      "two files for one place",
      bodyOver({ files: [fileFor({ path: "a.txt" }).file, fileFor({ path: "A.txt" }).file] }),
      bodyOver({ files: [fileFor({ path: "a.txt" }).file, fileFor({ path: "b.txt" }).file] }),
    ],
    [
      "field-invalid",
      "three files of the largest size",
      bodyOver({ files: threeFiles(MAX_FILE_BYTES) }),
      bodyOver({ files: threeFiles(1024) }),
    ],
    ["field-invalid", "a fetch of a name alone", given({ fetches: "app.log" }), given({ fetches: "/var/log/app.log" })],
    ["field-invalid", "a cancel of nothing", given({ cancels: [] }), given({ cancels: [echo] })],
    ["field-invalid", "a cancel that names a job twice", given({ cancels: [echo, echo] }), given({ cancels: [echo] })],
  ]);
}
