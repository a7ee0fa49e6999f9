// What a command sees of the machine it runs on; main.ts makes the real one, tests make theirs.
import type { Readable, Writable } from "node:stream";
import type { Random } from "../protocol/seal.ts";

/** A stream that people or programs read. `columns` is a terminal's width. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export type World = {
  readonly now: () => number;
  readonly random: Random;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** What `--proxy` says, and what the home keeps: a URL, `direct`, or `none`. */
  readonly proxy?: { readonly typed?: string; readonly kept?: string };
  readonly homeFolder: string;
  /** The words that start this program anew; absent where commands are called by another program. */
  readonly itself?: readonly [file: string, ...args: string[]];
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Results only. */
  readonly stdout: Output;
  /** Everything else. */
  readonly stderr: Output;
  /** Calls back on each Ctrl-C (or SIGTERM) until the answered function is called. */
  readonly onInterrupt: (callback: () => void) => () => void;
  /** Calls back when nobody reads stdout any more, until the answered function is called; without any, the program ends. */
  readonly onUnread: (callback: () => void) => () => void;
};

/** Whether a person is there to be asked. */
export function isAtTerminal({ stdin, stderr }: World): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}

/** Whether colours may be written to this stream: only on a terminal, and not where NO_COLOR is set (no-color.org). */
export function mayColour({ env }: World, output: Output): boolean {
  return output.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}
