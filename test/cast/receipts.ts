// A device's receipts, counted and chained, with sealed output; and its inventory.
import { type KeptStream, type SealedOutput, sealOutput } from "../../protocol/output.ts";
import type { Outcome } from "../../protocol/outcome.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { type Device, enrolmentOf } from "./device.ts";
import type { Job } from "./job.ts";
import { type Person, raw } from "./person.ts";
import { digestOf, seeded } from "./random.ts";
import { idOfEnvelope, type Overrides, overridden, signFields } from "./statement.ts";
import type { Tenant } from "./tenant.ts";

export type AnswerSetup = {
  readonly job: Pick<Job, "job" | "statement">;
  readonly outcome?: Outcome;
  /** Kept output, sealed to `readers`; none unless said. */
  readonly kept?: readonly KeptStream[];
  readonly readers?: readonly Person[];
  /** Over the receipt's own fields. */
  readonly over?: Overrides;
};

export type Answer = { readonly bytes: Uint8Array; readonly id: string; readonly result: Uint8Array | undefined };

/** A device's chain of receipts: each `answer` follows the one before. */
export class ReceiptChain {
  readonly device: Device;
  readonly tenant: Tenant;
  readonly answers: Answer[] = [];

  constructor(of: Device, tenant: Tenant) {
    this.device = of;
    this.tenant = tenant;
  }

  /** What the next receipt follows: the last one, or the enrolment request before the first. */
  get before(): { readonly seq: number; readonly id: string } {
    const last = this.answers.at(-1);
    return { seq: this.answers.length, id: last?.id ?? enrolmentOf(this.device, this.tenant).id };
  }

  answer(setup: AnswerSetup): Answer {
    const { kept = [], readers = [this.tenant.founder], job } = setup;
    const sealing = { readers: readers.map(({ sealing: pair }) => raw(pair)), statement: job.statement };
    const random = seeded(`output ${job.statement} ${this.answers.length}`);
    const result = kept.length === 0 ? undefined : sealOutput(kept, { ...sealing, random });
    const fields = overridden(this.fieldsOf(setup, result), setup.over);
    const bytes = signFields("receipt", fields, [this.device.signer]);
    const answer = { bytes, id: idOfEnvelope(bytes), result: result?.sealed };
    this.answers.push(answer);
    return answer;
  }

  private fieldsOf(setup: AnswerSetup, result: SealedOutput | undefined): object {
    const { seq, id } = this.before;
    const now = this.tenant.clock.now;
    return {
      tenant: this.tenant.id,
      device: this.device.id,
      seq: seq + 1,
      prev: id,
      job: setup.job.job,
      statement: setup.job.statement,
      outcome: setup.outcome ?? { type: "exited", code: 0 },
      startedAt: now,
      finishedAt: now,
      output: result?.output ?? [],
      result: result?.result,
      contained: "yes",
      unenforced: undefined,
      interpreter: "/bin/bash",
      interpreterVersion: "5.2.15(1)-release",
      keyHead: this.tenant.head,
      forks: [],
      journal: { seq: seq + 1, hash: digestOf(`journal ${seq}`) },
      bootId: "boot-1",
      time: now,
      clock: "ok",
      agent: "0.1.0",
    } satisfies { [Field in keyof Receipt]: unknown };
  }
}

/** An inventory envelope of this device. */
export function inventoryOf(of: Device, tenant: Tenant, over: Overrides = {}): Uint8Array {
  const fields = {
    tenant: tenant.id,
    device: of.id,
    time: tenant.clock.now,
    host: of.name,
    os: { platform: "linux", name: "Debian GNU/Linux", version: "13", kernel: "6.12.1", arch: "x64" },
    machine: { manufacturer: "Example", model: "One", serial: "1", virtual: false },
    cpu: { name: "Example CPU", cores: 2 },
    memoryBytes: 8_589_934_592,
    disks: [{ name: "vda", mount: "/", type: "ext4", size: 64_000_000_000, used: 8_000_000_000 }],
    network: [{ name: "eth0", ip4: "192.0.2.7", ip6: "2001:db8::7", mac: "02:00:00:00:00:07" }],
    agent: "0.1.0",
  };
  return signFields("inventory", overridden(fields, over), [of.signer]);
}
