// A promise that may fail before anybody waits for it, as one that never does.

export type Settled<T> = { readonly value: T } | { readonly error: unknown };

/** How it ended, once it has. */
export function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}
