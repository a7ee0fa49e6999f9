// One owner's tenure: jobs, receipts and the connection, put together and taken apart in the right order.
import { setTimeout as sleep } from "node:timers/promises";
import type { DaemonOptions } from "./daemon.ts";
import { isDiskFull } from "./fault.ts";
import { endFarewell, readFarewell, sayFarewell } from "./binding/farewell.ts";
import { runFarewellErrand } from "./binding/farewell-errand.ts";
import { Jobs } from "./jobs/jobs.ts";
import { FAREWELL_MS, STATUS_EVERY_MS } from "./limits.ts";
import type { OwnerState } from "./binding/owner-state.ts";
import { writePublicStatus } from "./binding/public-status.ts";
import type { DeafRelays } from "./connection/deaf-relays.ts";
import type { RelayConnection } from "./connection/relay-connection.ts";
import { stayConnected } from "./connection/relay-link.ts";
import { Reports } from "./binding/reports.ts";
import { Session } from "./session.ts";
import { Uploads } from "./answers/uploads.ts";

export type TenureOptions = DaemonOptions & {
  readonly deafRelays: DeafRelays;
  readonly onFault: (error: unknown) => void;
};

export class Tenure {
  readonly #owned: OwnerState;
  readonly #options: TenureOptions;
  readonly #uploads: Uploads;
  readonly #reports: Reports;
  readonly #jobs: Jobs;
  #session: { readonly connection: RelayConnection; readonly session: Session } | undefined;
  #statusTimer: NodeJS.Timeout | undefined;

  constructor(owned: OwnerState, given: TenureOptions) {
    const options = { ...given, onFault: (error: unknown) => this.#faulted(error) };
    this.#owned = owned;
    this.#options = given;
    this.#uploads = new Uploads({ owned, fetched: options.environment.fetched, ...options });
    this.#reports = new Reports({ owned, ...options });
    this.#jobs = new Jobs({
      ...options,
      owned,
      bootId: options.machine.bootId,
      connection: () => this.#session?.connection,
      onReceipt: () => {
        this.#uploads.wake();
        this.#statusChanged();
      },
    });
  }

  /** Serves until the signal aborts; settles when nothing runs, every ended job has its receipt, and the connection is closed. */
  async serve(ending: AbortSignal): Promise<void> {
    const leaving = new AbortController();
    await this.#jobs.recover();
    const link = this.#connect(leaving.signal);
    this.#options.supervisor.ready();
    const errand = runFarewellErrand(this.#options, ending);
    await untilAborted(ending);
    this.#reports.end();
    await this.#jobs.stop(this.#owned.isCurrent() ? "agent-stop" : "owner-change");
    await this.#sendLastReceipts();
    leaving.abort();
    await Promise.all([link, errand]);
    clearTimeout(this.#statusTimer);
    writePublicStatus(this.#options.paths, this.#owned.state, this.#options.now());
  }

  /** A package was refused while we serve. */
  bindingRefused(): void {
    this.#reports.wake();
    this.#statusChanged();
  }

  #connect(signal: AbortSignal): Promise<void> {
    const { owner } = this.#owned;
    return stayConnected(
      {
        ...this.#options,
        relays: owner.relays,
        identity: owner,
        events: {
          onOpen: (connection, welcome) => this.#open(connection).begin(welcome),
          onFrame: (_connection, frame) => this.#session?.session.receive(frame),
          onClose: () => this.#close(),
          onState: (words) => this.#options.supervisor.says(`${owner.keyState.name}: ${words}`),
        },
      },
      signal,
    );
  }

  #open(connection: RelayConnection): Session {
    const session = new Session(connection, {
      ...this.#options,
      onFault: (error: unknown) => this.#faulted(error),
      owned: this.#owned,
      jobs: this.#jobs,
      uploads: this.#uploads,
      reports: this.#reports,
      onChange: () => this.#statusChanged(),
    });
    this.#session = { connection, session };
    return session;
  }

  /** A full disk is no reason to end what runs: the relay keeps what we cannot take, until we come back with room. */
  #faulted(error: unknown): void {
    if (!isDiskFull(error)) return this.#options.onFault(error);
    this.#options.log.error({ reason: String(error) }, "the state cannot be written");
    this.#session?.connection.close("the disk is full");
  }

  #close(): void {
    this.#session?.session.end();
    this.#session = undefined;
  }

  async #sendLastReceipts(): Promise<void> {
    const { log } = this.#options;
    const sent = this.#owned.isCurrent() ? this.#uploads.settled() : this.#sayFarewell();
    const givenUp = new AbortController();
    const timeLimit = sleep(FAREWELL_MS, "late", { signal: givenUp.signal }).catch(() => "sent");
    const result = await Promise.race([sent.catch((error: unknown) => String(error)), timeLimit]);
    givenUp.abort();
    if (result !== undefined) log.warn({ reason: result }, "last words not confirmed; they are kept");
  }

  /** Over the connection that is open yet. Where it is not, or does not carry them, an errand brings them later. */
  async #sayFarewell(): Promise<void> {
    const { state, owner } = this.#owned;
    const connection = this.#session?.connection;
    const farewell = readFarewell(state);
    if (connection?.isOpen !== true || farewell?.device !== owner.device) return;
    if (await sayFarewell(connection, farewell, this.#options.log)) endFarewell(state, farewell);
  }

  /** Soon, and not for each of a thousand changes. */
  #statusChanged(): void {
    this.#statusTimer ??= setTimeout(() => {
      this.#statusTimer = undefined;
      writePublicStatus(this.#options.paths, this.#owned.state, this.#options.now());
    }, STATUS_EVERY_MS);
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
