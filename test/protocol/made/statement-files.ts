// One valid statement of every kind, readable, so that another implementation can hold itself against it.
import { text, toBase64 } from "../../../protocol/bytes.ts";
import { type Kind, readEnvelope, statementId } from "../../../protocol/envelope.ts";
import { sixDigits } from "../../../protocol/key-approval.ts";
import { DAY } from "../../cast/clock.ts";
import { device, enrolmentOf } from "../../cast/device.ts";
import { jobFor } from "../../cast/job.ts";
import { contentOf, fileFor } from "../../cast/job-file.ts";
import { reportOf } from "../../cast/binding-report.ts";
import { approvalOf, approverNonce, requestOf } from "../../cast/key-request.ts";
import { checkpointOf, clientOf, grantOf, loginOf } from "../../cast/login.ts";
import { deploymentOf } from "../../cast/package.ts";
import { person } from "../../cast/person.ts";
import { inventoryOf, ReceiptChain } from "../../cast/receipts.ts";
import { digestOf } from "../../cast/random.ts";
import { releaseOf, releaseSeed, releaseSigner, updateOf } from "../../cast/release.ts";
import { RosterLog } from "../../cast/roster-log.ts";
import { idOfEnvelope } from "../../cast/statement.ts";
import { Tenant } from "../../cast/tenant.ts";

export type StatementFile = {
  readonly kind: Kind;
  readonly says: string;
  /** SHA-256 of the pre-authentication encoding, base64url. */
  readonly id: string;
  readonly payloadType: string;
  /** To be read; what is signed is `canonical` in UTF-8. */
  readonly payload: unknown;
  readonly canonical: string;
  readonly envelope: unknown;
  /** The 32-byte seeds of the Ed25519 keys that signed, by key id, in hexadecimal. */
  readonly seeds: Readonly<Record<string, string>>;
  /** What else belongs to it, in base64. */
  readonly beside?: Readonly<Record<string, string>>;
};

/** What a receipt says of live output. */
const STREAMED = { frames: 2, wraps: digestOf("wraps"), sha256: digestOf("wraps and frames") };

type Seeds = Readonly<Record<string, Uint8Array>>;

function fileOf(
  kind: Kind,
  says: string,
  { bytes, seeds, beside }: { bytes: Uint8Array; seeds: Seeds; beside?: Readonly<Record<string, Uint8Array>> },
): StatementFile {
  const envelope = readEnvelope(bytes);
  const canonical = text(envelope.payload) ?? "";
  const hexSeeds = envelope.signatures.map(({ key }) => [key, seeds[key]?.toHex() ?? ""] as const);
  const more = Object.entries(beside ?? {}).map(([name, value]) => [name, toBase64(value)] as const);
  return {
    kind,
    says,
    id: statementId(envelope),
    payloadType: envelope.payloadType,
    payload: JSON.parse(canonical) as unknown,
    canonical,
    envelope: JSON.parse(text(bytes) ?? "") as unknown,
    seeds: Object.fromEntries(hexSeeds),
    ...(more.length === 0 ? {} : { beside: Object.fromEntries(more) }),
  };
}

export function statementFiles(): ReadonlyMap<string, StatementFile> {
  const [ada, grace, web] = [person("Ada", "admin"), person("Grace"), device("web-1")];
  const tenant = new Tenant({ founder: ada });
  tenant.add(grace);
  const client = clientOf(grace);
  const seeds: Seeds = {
    [ada.signer.key]: ada.seed,
    [ada.recovery.key]: ada.recoverySeed,
    [grace.signer.key]: grace.seed,
    [grace.recovery.key]: grace.recoverySeed,
    [web.signer.key]: web.seed,
    [client.signer.key]: person(`the client of ${grace.name}`).seed,
  };
  const roster = new RosterLog(tenant);
  roster.admit(web);
  const job = jobFor({ tenant, devices: [web], signers: [grace.signer, ada.signer] });
  const cancel = jobFor({ tenant, devices: [web], signers: [grace.signer], word: "cancel", cancels: [job] });
  const desktop = jobFor({
    tenant,
    devices: [web],
    signers: [grace.signer],
    word: "desktop",
    body: { user: { as: "sessions" } },
  });
  const cancelDone = new ReceiptChain(web, tenant).answer({
    job: cancel,
    outcome: { type: "cancel-done", jobs: [{ job: job.job, state: "ended" }] },
    over: { startedAt: undefined, interpreter: undefined },
  });
  const brought = fileFor({ path: "/opt/app/patch.bin", content: contentOf(70_000), mode: 0o755, owner: "app" });
  const bringing = jobFor({
    tenant,
    devices: [web],
    signers: [grace.signer],
    word: "files",
    body: { files: [brought.file] },
  });
  const fetching = jobFor({
    tenant,
    devices: [web],
    signers: [grace.signer],
    word: "fetch",
    fetches: "/var/log/app.log",
  });
  const round = jobFor({
    tenant,
    devices: [web],
    word: "round",
    signers: [grace.signer],
    manifest: { runs: { everyMs: DAY, count: 10 }, expiresAt: tenant.clock.now + 11 * DAY },
    body: { window: { days: ["mon", "tue", "wed", "thu", "fri"], from: "22:00", to: "04:00" } },
  });
  const update = updateOf();
  const updating = jobFor({ tenant, devices: [web], signers: [grace.signer], word: "update", updates: update.work });
  const updated = new ReceiptChain(web, tenant).answer({
    job: updating,
    outcome: { type: "updated", version: "0.2.0" },
    over: { interpreter: undefined },
  });
  const nothing = { interpreter: undefined, startedAt: undefined };
  const missed = {
    job: round,
    outcome: { type: "missed", from: 2, why: "late" },
    over: { occurrence: 4, runsLeft: 6, ...nothing },
  } as const;
  const releaseSeeds = { [releaseSigner().key]: releaseSeed() };
  const [genesis, added] = tenant.log;
  const [admitted] = roster.log;
  if (genesis === undefined || added === undefined || admitted === undefined)
    throw new Error("internal error: no logs");
  const sealed = job.sealedFor(web);
  const bob = person("Bob");
  const asked = requestOf(tenant, bob);
  const approval = approvalOf(tenant, ada, asked.id);
  const digits = sixDigits({
    request: asked.id,
    approval: idOfEnvelope(approval),
    requesterNonce: asked.nonce,
    approverNonce: approverNonce(ada),
  });
  const of = (bytes: Uint8Array) => ({ bytes, seeds });
  const opened = { plain: job.plain, body: sealed.body, wrap: sealed.wrap, sealingKey: web.sealing.privateKey };
  return new Map([
    ["key-event-genesis", fileOf("key-event", "the first entry of a key log: its id is the tenant", of(genesis))],
    ["key-event-add", fileOf("key-event", "an operator is added; the new keys sign as well", of(added))],
    [
      "key-request",
      fileOf("key-request", "a person asks for a key; `nonce` is told when an admin is there", {
        bytes: asked.bytes,
        seeds: { [bob.signer.key]: bob.seed, [bob.recovery.key]: bob.recoverySeed },
        beside: { nonce: asked.nonce },
      }),
    ],
    [
      "key-approval",
      fileOf("key-approval", `an admin takes the request up; the six digits are then ${digits}`, of(approval)),
    ],
    ["roster-event", fileOf("roster-event", "a device is admitted", of(admitted))],
    ["checkpoint", fileOf("checkpoint", "an operator's client vouches for a head", of(checkpointOf(tenant, grace)))],
    ["deployment", fileOf("deployment", "what a package carries", of(deploymentOf(tenant)))],
    [
      "enrolment-request",
      fileOf("enrolment-request", "a device asks to be admitted", of(enrolmentOf(web, tenant).request)),
    ],
    [
      "job",
      fileOf("job", "a job by two people, with its body sealed to one device", { ...of(job.envelope), beside: opened }),
    ],
    [
      "job-sessions",
      fileOf("job", "a job that runs once in each active session", {
        ...of(desktop.envelope),
        beside: {
          plain: desktop.plain,
          body: desktop.body,
          wrap: desktop.sealedFor(web).wrap,
          sealingKey: web.sealing.privateKey,
        },
      }),
    ],
    [
      "job-cancel",
      fileOf("job", "the same job is to be cancelled on that device", {
        ...of(cancel.envelope),
        beside: {
          plain: cancel.plain,
          body: cancel.body,
          wrap: cancel.sealedFor(web).wrap,
          sealingKey: web.sealing.privateKey,
        },
      }),
    ],
    [
      "job-files",
      fileOf("job", "a job that brings a file of two chunks", {
        ...of(bringing.envelope),
        beside: {
          plain: bringing.plain,
          body: bringing.body,
          wrap: bringing.sealedFor(web).wrap,
          sealingKey: web.sealing.privateKey,
          file: brought.sealed,
        },
      }),
    ],
    [
      "job-fetch",
      fileOf("job", "a file is asked for", {
        ...of(fetching.envelope),
        beside: {
          plain: fetching.plain,
          body: fetching.body,
          wrap: fetching.sealedFor(web).wrap,
          sealingKey: web.sealing.privateKey,
        },
      }),
    ],
    [
      "receipt",
      fileOf(
        "receipt",
        "a device's first receipt, of a job that was streamed",
        of(new ReceiptChain(web, tenant).answer({ job, over: { live: STREAMED } }).bytes),
      ),
    ],
    [
      "job-round",
      fileOf("job", "a job that comes round ten times, once a day at the most, in a window of the device's own time", {
        ...of(round.envelope),
        beside: { plain: round.plain },
      }),
    ],
    [
      "receipt-missed",
      fileOf(
        "receipt",
        "occurrences 2 to 4 of ten were missed",
        of(new ReceiptChain(web, tenant).answer(missed).bytes),
      ),
    ],
    ["receipt-cancel-done", fileOf("receipt", "the answer to the cancel", of(cancelDone.bytes))],
    [
      "job-update",
      fileOf("job", "an agent is to be updated", {
        ...of(updating.envelope),
        beside: {
          plain: updating.plain,
          body: updating.body,
          wrap: updating.sealedFor(web).wrap,
          sealingKey: web.sealing.privateKey,
          archive: update.sealed,
        },
      }),
    ],
    ["receipt-updated", fileOf("receipt", "the answer to the update", of(updated.bytes))],
    ["release", fileOf("release", "which files a version is made of", { bytes: releaseOf(), seeds: releaseSeeds })],
    ["inventory", fileOf("inventory", "what a device says of its machine", of(inventoryOf(web, tenant)))],
    ["binding-report", fileOf("binding-report", "a device says what it knows of its owner", of(reportOf(web, tenant)))],
    [
      "binding-report-left",
      fileOf(
        "binding-report",
        "a device's last word: its agent was uninstalled",
        of(reportOf(web, tenant, { refused: undefined, left: { journal: { seq: 40, hash: digestOf("journal") } } })),
      ),
    ],
    ["relay-login", fileOf("relay-login", "a device logs in to a relay", of(loginOf(tenant, web.signer)))],
    ["access-grant", fileOf("access-grant", "an operator lets a client read and send", of(grantOf(tenant, grace)))],
  ]);
}
