// The pipes that a job writes into, which may be left unread for a while: the kernel then holds up whoever writes.
import type { ChildProcess } from "node:child_process";

export class Pipes {
  #child: ChildProcess | undefined;

  /** Once the child has exited nothing is left unread: what it wrote last is part of its output. */
  of(child: ChildProcess): void {
    this.#child = child;
    child.once("exit", () => {
      this.hold(false);
      this.#child = undefined;
    });
  }

  hold(isHeld: boolean): void {
    for (const pipe of [this.#child?.stdout, this.#child?.stderr]) {
      if (isHeld) pipe?.pause();
      else pipe?.resume();
    }
  }
}
