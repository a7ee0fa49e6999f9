// Waiting for colleagues to sign jobs that were proposed from here: once one was sent, its devices are watched like any other's.
import type { Session } from "../connection/session.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import type { ComposedJob } from "../jobs/compose-job.ts";
import { COSIGN_POLL_MS } from "../limits.ts";
import { foldNames } from "../present/fold.ts";
import { joinJob } from "../results/join-job.ts";
import type { JobWatch } from "../results/watch-jobs.ts";
import { fetchProposal } from "./proposals.ts";

type Standing = "waiting" | "sent" | "gone";

export class AwaitCosign {
  readonly #session: Session;
  readonly #watch: JobWatch;
  readonly #jobs: readonly ComposedJob[];
  readonly #standing = new Map<string, Standing>();
  #isRung = false;
  #wake: () => void = () => undefined;

  constructor(session: Session, watch: JobWatch, jobs: readonly ComposedJob[]) {
    this.#session = session;
    this.#watch = watch;
    this.#jobs = jobs;
    for (const { manifest } of jobs) this.#standing.set(manifest.job, "waiting");
    watch.onWaitingNews(() => this.#ring());
  }

  /** Jobs that still wait for a signature. */
  get waiting(): readonly ComposedJob[] {
    return this.#jobs.filter(({ manifest }) => this.#standing.get(manifest.job) === "waiting");
  }

  /** Whether a job was proposed and never sent. */
  isUnsent(job: string): boolean {
    return (this.#standing.get(job) ?? "sent") !== "sent";
  }

  /** Resolves when each job was sent or rejected, or when `signal` ends the waiting. Throws a lost connection's fault. */
  async settled(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.waiting.length > 0) {
      this.#isRung = false;
      for (const job of this.waiting) await this.#look(job);
      if (this.waiting.length > 0) await this.#news(signal);
    }
  }

  async #look(composed: ComposedJob): Promise<void> {
    const { job } = composed.manifest;
    const standing = await this.#standingOf(composed);
    this.#standing.set(job, standing);
    if (standing !== "gone") return;
    const names = foldNames(composed.targets.map(({ name }) => name));
    say(this.#session.desk.world, `the job for ${names} waits no more: a colleague rejected it, or its time is over`);
    this.#watch.giveUp(job);
  }

  /** Asked for again once it waits no more: it may have been sent in between. */
  async #standingOf(composed: ComposedJob): Promise<Standing> {
    const { job } = composed.manifest;
    if (await this.#join(job)) return "sent";
    if (await this.#isWaiting(composed)) return "waiting";
    return (await this.#join(job)) ? "sent" : "gone";
  }

  /** Watches a job once the relay has it, from where it stands by then. */
  async #join(job: string): Promise<boolean> {
    try {
      await joinJob(this.#session, this.#watch, job);
      return true;
    } catch (error) {
      if (error instanceof Fault && error.code === "job-unknown") return false;
      throw error;
    }
  }

  async #isWaiting({ statement }: ComposedJob): Promise<boolean> {
    try {
      await fetchProposal(this.#session, statement);
      return true;
    } catch (error) {
      if (error instanceof Fault && error.code === "proposal-unknown") return false;
      throw error;
    }
  }

  #ring(): void {
    this.#isRung = true;
    this.#wake();
  }

  /** Until something has changed, or a while has passed. */
  async #news(signal: AbortSignal): Promise<void> {
    if (this.#isRung || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, COSIGN_POLL_MS);
    const onAbort = () => resolve();
    signal.addEventListener("abort", onAbort);
    await promise;
    signal.removeEventListener("abort", onAbort);
    clearTimeout(timer);
  }
}
