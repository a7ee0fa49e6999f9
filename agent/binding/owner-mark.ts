// The mark that tells a running daemon of a binding, taken or refused: `bind` touches a file, the system wakes the daemon.
import { utimesSync, watch, writeFileSync } from "node:fs";
import type { Paths } from "../paths.ts";

/** Calls back whenever the mark is touched, until disposed of. */
export function watchOwnerMark({ ownerMark }: Paths, onTouched: () => void): Disposable {
  writeFileSync(ownerMark, "", { flag: "a", mode: 0o600 });
  const watcher = watch(ownerMark, () => onTouched());
  return { [Symbol.dispose]: () => watcher.close() };
}

export function touchOwnerMark({ ownerMark }: Paths, now: number): void {
  writeFileSync(ownerMark, "", { flag: "a", mode: 0o600 });
  utimesSync(ownerMark, now / 1000, now / 1000);
}
