// Telling the owner how this device stands: after each login, each growth of its key log, each package that it refused (SPEC 9.6).
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { signBindingReport } from "../../protocol/binding-report.ts";
import type { DeafRelays } from "../connection/deaf-relays.ts";
import type { AgentVersion } from "../version.ts";
import { REPORT_EVERY_MS, UPLOAD_RETRY_MS } from "../limits.ts";
import type { OwnerState } from "./owner-state.ts";
import { refusedPackage } from "./refused-package.ts";
import { ConnectionLost, type RelayConnection, RelayFailure } from "../connection/relay-connection.ts";

export type ReportsOptions = {
  readonly owned: OwnerState;
  readonly agent: AgentVersion;
  readonly deafRelays: DeafRelays;
  readonly now: () => number;
  readonly log: Logger;
  readonly onFault: (error: unknown) => void;
};

/** A relay that refuses a report, or does not know what it is, costs a line in the log and nothing else. */
export class Reports {
  readonly #options: ReportsOptions;
  readonly #ended = new AbortController();
  #connection: RelayConnection | undefined;
  #isRunning = false;
  #isWanted = false;
  #retry: NodeJS.Timeout | undefined;
  /** What the last report on this connection said. */
  #said = "";

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  connected(connection: RelayConnection): void {
    this.#connection = connection;
    this.#said = "";
    this.wake();
  }

  disconnected(): void {
    clearTimeout(this.#retry);
    this.#connection = undefined;
  }

  end(): void {
    this.disconnected();
    this.#ended.abort();
  }

  /** What a report says may have changed, and is on the disk. Many of these soon after one another are one report more. */
  wake(): void {
    this.#isWanted = true;
    if (!this.#isRunning) void this.#drain().catch(this.#options.onFault);
  }

  // Between the last look at the wish and the end nothing else can run, so no wish is lost.
  async #drain(): Promise<void> {
    this.#isRunning = true;
    while (this.#isWanted && !this.#ended.signal.aborted) {
      this.#isWanted = false;
      const isSent = await this.#sendNews();
      if (isSent) await sleep(REPORT_EVERY_MS, undefined, { signal: this.#ended.signal }).catch(() => undefined);
    }
    this.#isRunning = false;
  }

  /** Whether the relay was asked. One owner's device says nothing more once it is another's: its last word is the farewell. */
  async #sendNews(): Promise<boolean> {
    const { owned, agent, deafRelays, now } = this.#options;
    const connection = this.#connection;
    if (connection?.isOpen !== true || deafRelays.isDeaf(connection.relay) || !owned.isCurrent()) return false;
    const { tenant, device, signer } = owned.owner;
    const refused = refusedPackage(owned.state);
    const news = { keyHead: owned.keyState.head, ...(refused === undefined ? {} : { refused }) };
    const said = JSON.stringify(news);
    if (said === this.#said) return false;
    const bytes = signBindingReport({ tenant, device, ...news, agent: agent.text, time: now() }, signer);
    if (await this.#send(connection, bytes)) this.#said = said;
    return true;
  }

  async #send(connection: RelayConnection, bytes: Uint8Array): Promise<boolean> {
    const { relay } = connection;
    try {
      await connection.request({ type: "report" }, [bytes]);
      this.#options.deafRelays.heard(relay);
      return true;
    } catch (error) {
      if (error instanceof RelayFailure) this.#refused(relay, error);
      else if (error instanceof ConnectionLost) this.#lost(relay, error.code);
      else throw error;
      return false;
    }
  }

  #refused(relay: string, failure: RelayFailure): void {
    if (failure.code === UNKNOWN_MESSAGE) return this.#giveUp(relay);
    this.#options.log.warn({ relay, code: failure.code }, "the relay did not take a binding report");
    if (!failure.isForNow) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.wake(), UPLOAD_RETRY_MS);
  }

  #lost(relay: string, code: string | undefined): void {
    const { deafRelays } = this.#options;
    if (this.#ended.signal.aborted) return;
    if (code !== UNKNOWN_MESSAGE) deafRelays.lost(relay);
    if (code === UNKNOWN_MESSAGE || deafRelays.isDeaf(relay)) this.#giveUp(relay);
  }

  #giveUp(relay: string): void {
    this.#options.deafRelays.refused(relay);
    this.#options.log.warn(
      { relay },
      "the relay takes no binding reports; it is sent none until the agent starts again",
    );
  }
}

/** How a relay that is older than binding reports answers one. */
const UNKNOWN_MESSAGE = "frame-form";
