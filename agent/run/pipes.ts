// The pipes that a job writes into, which may be left unread for a while: the kernel then holds up whoever writes.
import type { JobProcess } from "./containment.ts";

export class Pipes {
  #child: JobProcess | undefined;
  #isHeld = false;

  /** The child that writes from now on. Once it has exited nothing is left unread: what it wrote last is part of its output. */
  of(child: JobProcess): void {
    this.#child = child;
    if (this.#isHeld) this.hold(true);
    child.once("exit", () => {
      setReading(child, true);
      if (this.#child === child) this.#child = undefined;
    });
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (this.#child !== undefined) setReading(this.#child, !isHeld);
  }
}

function setReading({ stdout, stderr }: JobProcess, isRead: boolean): void {
  for (const pipe of [stdout, stderr]) {
    if (isRead) pipe?.resume();
    else pipe?.pause();
  }
}
