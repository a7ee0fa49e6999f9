// The one update that is being done here: unpacked, put on trial, and answered by whichever version runs afterwards.
import type { Logger } from "pino";
import { type Outcome, refusedOutcome } from "../../protocol/outcome.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import { archiveFile } from "../../protocol/update-body.ts";
import type { Runnable } from "../../protocol/verify-job.ts";
import type { Answer } from "../answers/outbox.ts";
import { isDiskFull } from "../fault.ts";
import { SealedFiles } from "../files/sealed-files.ts";
import type { StartedJob } from "../jobs/ledger.ts";
import type { EndCause, RunEnvironment } from "../run/run-job.ts";
import { askedTrial, beginTrial, makeIncoming, trialOf, withdrawTrial } from "./versions.ts";

//   begun --> unpacked --> on trial --> the process ends --> proved, or failed and the former version runs
//     |___________________|    a crash before the trial: `lost`, and nothing was changed

type Doing = { readonly job: string; readonly statement: string; readonly startedAt: number };

export class SelfUpdates {
  readonly #environment: RunEnvironment;
  readonly #log: Logger;
  #doing: Doing | undefined;
  #ending = new AbortController();
  #ended: Outcome | undefined;

  constructor({ environment, log }: { readonly environment: RunEnvironment; readonly log: Logger }) {
    this.#environment = environment;
    this.#log = log;
  }

  /** What is being updated by; it counts as being done until `done`. */
  get job(): string | undefined {
    return this.#doing?.job;
  }

  /**
   * Answers what came of it where it ends here. Where the version is on trial, on the disk, this process is asked to end, and there is no
   * answer from it: nothing cancels the update any more.
   */
  async begin(
    runnable: Runnable<"update">,
    { startedAt }: { readonly startedAt: number },
  ): Promise<Answer | undefined> {
    const { job, body } = runnable;
    const doing = { job: job.manifest.job, statement: job.statement, startedAt };
    const { versions, restart } = this.#environment.self;
    this.#doing = doing;
    this.#ended = undefined;
    this.#ending = new AbortController();
    try {
      await this.#unpack(runnable);
      this.#ending.signal.throwIfAborted();
      beginTrial(versions, { version: body.version, job: doing.job });
    } catch (error) {
      withdrawTrial(versions, body.version);
      return answerOf(doing, this.#ended ?? refusedOutcome(refusalOf(error)));
    }
    this.#log.info({ job: doing.job, from: versions.running, to: body.version }, "another version is to be tried");
    restart();
    return undefined;
  }

  /**
   * What became of a job that was under way, where it was an update that came to a trial. `on-trial` is left to the next start: the starter
   * could not write, and so did not try it.
   */
  after({ job, statement, startedAt }: StartedJob): Answer | "on-trial" | undefined {
    const { versions } = this.#environment.self;
    const became = trialOf(versions, job);
    const doing = { job, statement, startedAt };
    switch (became.type) {
      case "unknown":
        return undefined;
      case "on-trial":
        return "on-trial";
      case "proved":
        return answerOf(doing, { type: "updated", version: askedTrial(versions)?.version ?? versions.running });
      case "failed": {
        const { version, tries } = became;
        return answerOf(doing, {
          type: "rolled-back",
          version,
          running: versions.running,
          tries: Math.min(tries, 1_000),
        });
      }
      default:
        throw new Error(`internal error: no answer for ${JSON.stringify(became satisfies never)}`);
    }
  }

  /** It has its receipt. */
  done(job: string): void {
    if (this.#doing?.job === job) this.#doing = undefined;
  }

  end(job: string, by: EndCause): void {
    if (this.#doing?.job === job) this.endAll(by);
  }

  endAll(by: EndCause): void {
    this.#ended ??= { type: "cancelled", by };
    this.#ending.abort();
  }

  async #unpack({ job, body }: Runnable<"update">): Promise<void> {
    // Loaded when there is something to unpack: an idle agent need not hold it.
    const { unpackUpdate } = await import("./unpack-update.ts");
    const { files, self } = this.#environment;
    const { version, platform } = body;
    const file = archiveFile(body);
    const sealed = new SealedFiles(files).pathOf(job.manifest.job, file.blob);
    await unpackUpdate(
      { sealed, file, platform, signal: this.#ending.signal },
      { disk: self.versions.program, makeFolder: () => makeIncoming(self.versions, version) },
    );
  }
}

function answerOf(doing: Doing, outcome: Outcome): Answer {
  return { ...doing, outcome, contained: "yes" };
}

/** What the disk does not take is this device's matter; anything else that is no refusal is a fault. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (!(error instanceof Error) || !("syscall" in error)) throw error;
  return refuse(isDiskFull(error) ? "disk-short" : "update-place", error.message.slice(0, 200));
}
