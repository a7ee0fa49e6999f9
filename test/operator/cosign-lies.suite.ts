// Whoever takes the relay over, or makes a proposal by other means than our program, gets no second signature for it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cache } from "../../operator/home/cache.ts";
import { type BodyFields, composeJobs, type ComposedJob, type Signing } from "../../operator/jobs/compose-job.ts";
import { toBase64url } from "../../protocol/bytes.ts";
import type { Frame } from "../../protocol/frame.ts";
import { writeBody } from "../../protocol/job-work.ts";
import { keyBytes } from "../../protocol/key-state.ts";
import { wrapKey } from "../../protocol/seal.ts";
import { sealStream } from "../../protocol/stream.ts";
import { DAY, HOUR } from "../cast/clock.ts";
import { device } from "../cast/device.ts";
import { digestOf, seeded } from "../cast/random.ts";
import { edited, flipped, idOfEnvelope, signFields } from "../cast/statement.ts";
import { expectDone, OperatorHouse } from "./house.ts";
import { type Lie, LyingRelay } from "./lying-relay.ts";
import { SocketDevice } from "./socket-device.ts";
import { type Colleague, cosign, founder, hire, rejectAll, signersOfCritical, verdict, waiting } from "./staff.ts";

const BODY: BodyFields = {
  shell: "sh",
  source: "true",
  args: [],
  env: [],
  user: { as: "system" },
  limits: { timeMs: 1000, outputBytes: 1000 },
  mayReboot: false,
};

let liar: LyingRelay;
let house: OperatorHouse;
let ada: Colleague;
let grace: Colleague;
let bob: Colleague;
let db: SocketDevice;
let made = 0;

beforeAll(async () => {
  liar = await LyingRelay.open();
  house = await OperatorHouse.open({ front: liar.url });
  liar.upstream = house.relay.url;
  expectDone(await house.init(["--no-recovery-file"]));
  ada = await founder(house);
  grace = await hire(house, ada, { name: "Grace", role: "admin" });
  bob = await hire(house, ada, { name: "Bob", role: "operator" });
  await signersOfCritical(2, [ada, grace]);
  const { file } = await house.package("db.json", ["--class", "critical"]);
  db = await SocketDevice.enrol(house.url, { file, word: "db1", host: "db1.example" });
  await house.pending(1);
  expectDone(await house.unlocked(["devices", "name", "db1", "orders"]));
}, 240_000);

afterAll(async () => {
  await db.close();
  await house[Symbol.asyncDispose]();
  await liar[Symbol.asyncDispose]();
});

type Over = { readonly targets?: readonly string[]; readonly expiresInMs?: number } & Partial<Signing>;

/** A job for db1 that somebody signed, as their program would make it but for `over`. */
async function jobBy(who: Colleague, { targets, expiresInMs = HOUR, ...over }: Over = {}): Promise<ComposedJob> {
  const { device: member, enc } = dbMember();
  const chosen = (targets ?? [member]).map((id) => ({ ...dbMember(), device: id, enc }));
  const [job] = await who.hand(({ state }) =>
    composeJobs(
      { work: { kind: "run", body: BODY }, targets: chosen, expiresInMs },
      {
        state,
        signer: who.signer,
        operator: who.made.operator,
        access: device("client").sealing.publicKey,
        now: Date.now(),
        random: seeded(`job ${++made}`),
        ...over,
      },
    ),
  );
  if (job === undefined) throw new Error("no job was made");
  return job;
}

function dbMember() {
  using cache = new Cache(house.home);
  const member = cache.roster(cache.keyState()?.tenant ?? "").devices.get(db.device.id);
  if (member === undefined) throw new Error("db1 is not in the roster");
  return member;
}

/** Leaves a job, or other parts of it, with the relay, and answers its id. */
async function propose(who: Colleague, { statement, parts, manifest }: ComposedJob): Promise<string> {
  const header = { type: "propose", proposal: statement, expiresAt: Date.now() + HOUR };
  await who.hand(({ client }) => client.ask("ok", header, parts));
  return manifest.job;
}

type Parts = readonly Uint8Array[];

/** Shows other parts of what was proposed. */
function showing(change: (parts: Parts) => Parts): Lie {
  return (frame: Frame) =>
    frame.header["type"] === "proposal-record" ? { header: frame.header, parts: change(frame.parts) } : frame;
}

/** Writes other signatures under the envelope. */
function signatures(change: (json: Signatures) => Signatures): (parts: Parts) => Parts {
  return ([envelope = new Uint8Array(0), ...rest]) => [
    edited(envelope, (json) => ({ ...json, signatures: change(json.signatures) })),
    ...rest,
  ];
}

/** Says of every job that it was never sent. */
const denying: Lie = (frame) => {
  if (frame.header["type"] !== "job-record") return frame;
  return { header: { type: "failed", rid: frame.header["rid"] ?? 0, code: "job-unknown", message: "" }, parts: [] };
};

type Signatures = readonly { readonly keyid: string; readonly sig: string }[];

describe("a relay that was taken over", () => {
  let job: ComposedJob;

  beforeAll(async () => {
    job = await jobBy(ada);
    await propose(ada, job);
  });

  async function refusal(change: (parts: Parts) => Parts) {
    return verdict(await liar.lying(showing(change), () => cosign(grace, job.manifest.job)));
  }

  test("changes the sealed body, and it does not open", async () => {
    expect(await refusal((shown) => shown.with(1, flipped(shown[1] ?? new Uint8Array(1), -1)))).toEqual([
      1,
      "output-sealed",
    ]);
  });

  test("seals another body to the co-signer, and it is not the one that was signed", async () => {
    const contentKey = seeded("another content key")(32);
    const { bytes } = writeBody({ ...BODY, source: "rm -rf /", salt: digestOf("salt") });
    const use = { purpose: "job-body", statement: job.statement } as const;
    const wraps = job.manifest.readers.map((key) =>
      wrapKey(contentKey, { recipient: keyBytes(key), use, random: seeded(`wrap ${key}`) }),
    );
    const lie = ([envelope = new Uint8Array(0), , wrap = new Uint8Array(0)]: Parts) => [
      envelope,
      sealStream(contentKey, bytes),
      wrap,
      ...wraps,
    ];
    expect(await refusal(lie)).toEqual([1, "body-digest"]);
  });

  test("leaves wraps out, and is told so", async () => {
    expect(await refusal((shown) => shown.slice(0, -1))).toEqual([1, "relay-odd"]);
  });

  test("makes a colleague's signature unfit, and it is refused as devices would refuse it", async () => {
    const unfit = Buffer.alloc(64, 1).toString("base64");
    const breaking = signatures((all) => all.map((one) => ({ ...one, sig: unfit })));
    expect(await refusal(breaking)).toEqual([1, "signature-bad"]);
  });

  test("shows another statement under its id", async () => {
    const other = await jobBy(ada);
    expect(await refusal(() => other.parts)).toEqual([1, "relay-odd"]);
  });

  test("says other names of devices than the roster, which nobody asks it for", async () => {
    const [row] = await waiting(grace);
    expect(row?.what).toBe("a job for orders");
  });

  test("adds signatures that nobody of the organisation made, and they are not passed on", async () => {
    const strange = { keyid: device("evil").id, sig: Buffer.alloc(64).toString("base64") };
    const adding = showing(signatures((all) => [strange, ...all]));
    const { stdout } = expectDone(await liar.lying(adding, () => cosign(grace, job.manifest.job)));
    expect(stdout).toBe(`${job.manifest.job}\n`);
    const { manifest, statement } = await db.job();
    expect([manifest.job, statement]).toEqual([job.manifest.job, job.statement]);
    const shown = expectDone(await ada.run(["job", "show", job.manifest.job, "--export", house.path("evidence")]));
    expect(shown.stdout).toContain("signed by  Ada, Grace\n");
  });

  test("shows a job that was sent as one that waits, and nobody signs it again", async () => {
    await propose(ada, job);
    expect(verdict(await cosign(bob, job.manifest.job))).toEqual([1, "proposal-done"]);
    for (const who of [grace, bob]) {
      const again = await liar.lying(denying, () => cosign(who, job.manifest.job));
      expect(verdict(again)).toEqual([1, "proposal-done"]);
    }
    await rejectAll(ada);
  });
});

describe("three people", () => {
  test("are counted one by one, and a signature that the relay hides only has to be made again", async () => {
    await signersOfCritical(3, [ada, grace]);
    const job = await jobBy(ada);
    const id = await propose(ada, job);
    const second = expectDone(await cosign(bob, id));
    expect(second.stderr).toContain(`signed; 1 more needed: Grace must co-sign: keybound cosign ${id}`);
    expect((await waiting(grace))[0]).toMatchObject({ signers: ["Ada", "Bob"], needed: 3 });

    const hiding = showing(signatures((all) => all.filter(({ keyid }) => keyid !== bob.signer.key)));
    const hidden = expectDone(await liar.lying(hiding, () => cosign(grace, id)));
    expect(hidden.stderr).toContain("signed; 1 more needed: Bob must co-sign");

    const { stdout } = expectDone(await bob.unlocked(["cosign", id, "--yes", "--json"]));
    const common = { proposal: job.statement, kind: "job", state: "sent", job: id, signed: 3, needed: 3 };
    expect(JSON.parse(stdout)).toEqual({ ...common, targets: ["orders"] });
    expect((await db.job()).statement).toBe(job.statement);
    await signersOfCritical(2, [ada, grace]);
  });
});

/** The refusal of the only thing that waits, in the list and when somebody would sign it. */
async function refusedAs(id: string): Promise<readonly [string | undefined, string]> {
  const [row] = await waiting(grace);
  const [, code] = verdict(await cosign(grace, id));
  await rejectAll(ada);
  return [row?.refused, code];
}

describe("what nobody should sign", () => {
  test("is a job for a device that the roster does not have", async () => {
    const id = await propose(ada, await jobBy(ada, { targets: [db.device.id, device("gone").id] }));
    expect(await refusedAs(id)).toEqual(["proposal-target", "proposal-target"]);
  });

  test("is a job of another organisation, whoever signed it", async () => {
    const { manifest, parts } = await jobBy(ada);
    const other = { ...manifest, tenant: digestOf("another") };
    for (const [signer, code] of [
      [ada.made.keys.signer, "tenant-other"],
      [device("evil").signer, "signer-unknown"],
    ] as const) {
      const envelope = signFields("job", other, [signer]);
      const statement = idOfEnvelope(envelope);
      await propose(ada, {
        manifest: other,
        statement,
        parts: parts.with(0, envelope),
        targets: [],
        needed: 2,
        blobs: [],
      });
      expect(await refusedAs(manifest.job)).toEqual([code, code]);
    }
  });

  test("is a job whose time is over, or is longer than the policy allows", async () => {
    const late = await propose(ada, await jobBy(ada, { now: Date.now() - 2 * HOUR }));
    expect(await refusedAs(late)).toEqual(["job-expired", "job-expired"]);
    const long = await propose(ada, await jobBy(ada, { expiresInMs: 31 * DAY }));
    expect(await refusedAs(long)).toEqual(["job-lifetime", "job-lifetime"]);
  });

  test("is a job that cannot be read", async () => {
    const { state } = await ada.hand(async (desk) => desk);
    const operators = state.operators.map((one) =>
      one.name === "Grace" ? { ...one, enc: toBase64url(device("another").sealing.publicKey) } : one,
    );
    const id = await propose(ada, await jobBy(ada, { state: { ...state, operators } }));
    expect(await refusedAs(id)).toEqual([undefined, "proposal-sealed"]);
  });

  test("is a job that is about to end, without being told", async () => {
    const id = await propose(ada, await jobBy(ada, { expiresInMs: HOUR / 10 }));
    const { stderr } = await grace.unlocked(["cosign", id]);
    expect(stderr).toMatch(/warning: it ends in \d minutes?: devices that do not get it by then do not run it/);
    expect(stderr).toContain("keybound: yes-needed: ");
    await rejectAll(ada);
  });

  test("is a job of somebody whose key was revoked since", async () => {
    const id = await propose(bob, await jobBy(bob));
    const { operator } = bob.made;
    const revocation = {
      type: "operator.revoke",
      operator,
      key: bob.signer.key,
      reason: "left",
      jobs: "cancel",
    } as const;
    await ada.write(revocation);
    expect(await refusedAs(id)).toEqual(["signer-revoked", "signer-revoked"]);
  });
});
