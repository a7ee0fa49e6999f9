// Whatever a relay does with what it carries, a device runs only bodies that an active operator signed for it, and each once.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { admitKey } from "../../protocol/key-admission.ts";
import { judgeEvent, noteFork } from "../../protocol/key-log.ts";
import type { KeyLogState } from "../../protocol/key-state.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { type SealedBody, VerifiedJob } from "../../protocol/verify-job.ts";
import { HOUR } from "../cast/clock.ts";
import { contextOf, device } from "../cast/device.ts";
import { asRun, type Job, jobFor } from "../cast/job.ts";
import { type Person, person } from "../cast/person.ts";
import { signersOf, Tenant } from "../cast/tenant.ts";
import { reencoded, spoiled } from "./mutations.ts";

const ada = person("Ada", "admin");
const [grace, mallory] = [person("Grace"), person("Mallory")];
const [web, mail] = [device("web-1"), device("mail-1")];

const tenant = new Tenant({ founder: ada });
tenant.add(grace);
tenant.add(mallory);
const early = tenant.head;
tenant.revoke(mallory);
tenant.setPolicy({ prompt: "day" });
const other = new Tenant({ name: "Other", founder: ada });
other.add(grace);

/** A job and who signed it for whom; its source is its own word, so that a body is known by what it would run. */
type Sent = { readonly word: string; readonly job: Job; readonly by: Person; readonly isForWeb: boolean };

function sent(word: string, by: Person, over: Partial<Parameters<typeof jobFor>[0]> = {}): Sent {
  const devices = over.devices ?? [web];
  const job = jobFor({ tenant, devices, signers: signersOf([by]), word, body: { source: word }, ...over });
  return { word, job, by, isForWeb: devices.includes(web) && (over.tenant ?? tenant) === tenant };
}

const pool: readonly Sent[] = [
  sent("one", grace, { manifest: { keyHead: early } }),
  sent("two", ada, { manifest: { keyHead: early } }),
  sent("later", grace),
  sent("both", grace, { devices: [mail, web] }),
  sent("mail's", grace, { devices: [mail] }),
  sent("other tenant's", grace, { tenant: other }),
  sent("mallory's", mallory, { manifest: { keyHead: early } }),
  sent("stranger's", person("Nobody")),
];
const bySource = new Map(pool.map((one) => [one.word, one]));
const wraps = pool.flatMap(({ job }) => job.wraps);
const bodies = pool.map(({ job }) => job.body);

/** What the relay does next: hands over entries of the log, time, or an envelope with some wrap and some body. */
type Action =
  | { readonly type: "log"; readonly entry: Uint8Array }
  | { readonly type: "time"; readonly ms: number }
  | { readonly type: "job"; readonly envelope: Uint8Array; readonly sealed: SealedBody };

const good = fc.constantFrom(...pool).map(({ job }) => job);
const delivered = fc.oneof(
  { arbitrary: good.map((job) => ({ envelope: job.envelope, sealed: job.sealedFor(web) })), weight: 4 },
  {
    arbitrary: good.chain((job) =>
      fc.record({
        envelope: fc.oneof(reencoded(job.envelope), spoiled(pool.map((one) => one.job.envelope))),
        sealed: fc.record({
          wrap: fc.oneof(fc.constant(job.sealedFor(web).wrap), fc.constantFrom(...wraps), spoiled(wraps)),
          body: fc.oneof(fc.constant(job.body), fc.constantFrom(...bodies), spoiled(bodies)),
        }),
      }),
    ),
    weight: 3,
  },
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { arbitrary: delivered.map((job) => ({ type: "job", ...job }) as const), weight: 6 },
  {
    arbitrary: fc.constantFrom(...tenant.log, ...other.log).map((entry) => ({ type: "log", entry }) as const),
    weight: 3,
  },
  { arbitrary: fc.integer({ min: 0, max: 8 * HOUR }).map((ms) => ({ type: "time", ms }) as const), weight: 1 },
);

/** A device as far as this matters: its log, its ledger, its clock, and what it would have run. */
class Machine {
  state: KeyLogState = tenant.stateAt(early.seq);
  now = tenant.clock.now;
  readonly ledger = new Map<string, string>();
  readonly ran: { readonly source: string; readonly knew: KeyLogState }[] = [];

  do(step: Action): void {
    if (step.type === "time") this.now += step.ms;
    else if (step.type === "log") this.hear(step.entry);
    else this.take(step.envelope, step.sealed);
  }

  private hear(entry: Uint8Array): void {
    const keep = (judge: () => KeyLogState) => {
      try {
        this.state = judge();
        return true;
      } catch (error) {
        if (error instanceof Refusal) return false;
        throw error;
      }
    };
    const isNext = keep(() => judgeEvent(this.state, entry, admitKey).state);
    if (!isNext) keep(() => noteFork(this.state, entry, (seq) => this.idAt(seq)));
  }

  private idAt(seq: number): string | undefined {
    return seq <= this.state.head.seq ? tenant.entries[seq]?.id : undefined;
  }

  private take(envelope: Uint8Array, sealed: SealedBody): void {
    const verdict = VerifiedJob.judge(envelope, {
      ...contextOf(web, tenant),
      keyLog: { state: this.state, idAt: (seq) => this.idAt(seq) },
      now: this.now,
      claimed: (job) => this.ledger.get(job),
      asked: true,
    });
    if (verdict.type !== "verified") return;
    this.ledger.set(verdict.job.manifest.job, verdict.job.statement);
    try {
      const { body } = asRun(verdict.job.open(sealed, web.sealing));
      this.ran.push({ source: body.source ?? "", knew: this.state });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }
}

test("no sequence of a relay's actions makes a device run what was not signed for it, or anything twice", () => {
  let runs = 0;
  fc.assert(
    fc.property(fc.array(action, { minLength: 8, maxLength: 30 }), (actions) => {
      const machine = new Machine();
      for (const step of actions) machine.do(step);
      const sources = machine.ran.map(({ source }) => source);
      expect(new Set(sources).size).toBe(sources.length);
      for (const { source, knew } of machine.ran) {
        const job = bySource.get(source);
        expect(job?.isForWeb).toBe(true);
        expect(knew.operators.map(({ key }) => key)).toContain(job?.by.signer.key);
        expect(knew.forks.map(({ revokes }) => revokes)).not.toContain(job?.by.signer.key);
      }
      runs += sources.length;
    }),
    { numRuns: 400, seed: 20_260_105 },
  );
  expect(runs).toBeGreaterThan(100);
});
