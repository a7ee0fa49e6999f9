// Relays that take no binding reports, remembered for as long as this process lives: an older relay is told nothing twice.
import { MAX_REPORT_LOSSES } from "../limits.ts";

export class DeafRelays {
  readonly #losses = new Map<string, number>();

  isDeaf(relay: string): boolean {
    return (this.#losses.get(relay) ?? 0) >= MAX_REPORT_LOSSES;
  }

  /** It said that it does not know the message. */
  refused(relay: string): void {
    this.#losses.set(relay, MAX_REPORT_LOSSES);
  }

  /** The connection ended while a report was on its way: once by chance, several times in a row because of it. */
  lost(relay: string): void {
    this.#losses.set(relay, (this.#losses.get(relay) ?? 0) + 1);
  }

  heard(relay: string): void {
    this.#losses.delete(relay);
  }
}
