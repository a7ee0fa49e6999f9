// Waiting for what a relay will push, until it came, the line broke, or the person had enough.
import type { Message, RelayClient } from "./connection/relay-client.ts";
import type { World } from "./world.ts";

export type Patience = Disposable & { readonly signal: AbortSignal };

/** The reason of a signal that ended because nobody reads stdout any more. */
export const UNREAD = "unread";

/** Ends by Ctrl-C, after this time, or when nobody reads what is written. */
export function patienceOf(world: World, timeoutMs: number | undefined): Patience {
  const controller = new AbortController();
  const stopListening = world.onInterrupt(() => controller.abort());
  const stopReading = world.onUnread(() => controller.abort(UNREAD));
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => controller.abort(), timeoutMs);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      stopListening();
      stopReading();
    },
  };
}

/** Pushes of a connection, one after the other. Takes over the connection's listener. */
export class Pushes {
  readonly #held: Message[] = [];
  #wake: (() => void) | undefined;
  #ended: Error | undefined;

  constructor(client: RelayClient) {
    client.listen(
      (message) => {
        this.#held.push(message);
        this.#wake?.();
      },
      (fault) => {
        this.#ended = fault;
        this.#wake?.();
      },
    );
  }

  /** The next push; `undefined` where patience ended first. Throws the fault that ended the connection. */
  async next(signal: AbortSignal): Promise<Message | undefined> {
    for (;;) {
      const message = this.#held.shift();
      if (message !== undefined) return message;
      if (this.#ended !== undefined) throw this.#ended;
      if (signal.aborted) return undefined;
      await this.#change(signal);
    }
  }

  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    this.#wake = undefined;
  }
}
