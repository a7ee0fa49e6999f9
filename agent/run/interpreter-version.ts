// The versions of this device's interpreters, each asked of the program itself once, beside the job and never in its way.
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { MAX_KNOWN_VERSIONS, VERSION_TIME_MS, VERSION_WAIT_MS } from "../limits.ts";
import { askProgram } from "./ask-program.ts";
import type { Interpreter } from "./interpreter.ts";

type Version = string | undefined;

export class InterpreterVersions {
  /** By path and what changes with an update of the program; the oldest is forgotten first. */
  readonly #known = new Map<string, Promise<Version>>();

  /** Asks unless it was asked before. Does not reject; `undefined` where the program says none, or not in time. */
  async of({ path, askVersion }: Interpreter): Promise<Version> {
    const key = askVersion === undefined ? undefined : keyOf(path);
    if (askVersion === undefined || key === undefined) return undefined;
    const known = this.#known.get(key) ?? ask(path, askVersion);
    this.#remember(key, known);
    const version = await known;
    // A busy machine is no reason never to know it: the next job asks again.
    if (version === undefined && this.#known.get(key) === known) this.#known.delete(key);
    return version;
  }

  #remember(key: string, version: Promise<Version>): void {
    this.#known.set(key, version);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN_VERSIONS && oldest !== undefined) this.#known.delete(oldest);
  }
}

/** A version that is known by now, or within a moment: a job that has ended does not wait longer for it. */
export async function soon(version: Promise<Version>): Promise<Version> {
  const waiting = new AbortController();
  const late = sleep(VERSION_WAIT_MS, undefined, { signal: waiting.signal }).catch(() => undefined);
  const known = await Promise.race([version, late]);
  waiting.abort();
  return known;
}

function keyOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : `${path}:${stats.mtimeMs}:${stats.size}`;
}

async function ask(path: string, args: readonly string[]): Promise<Version> {
  const answer = await askProgram({ path, args, until: AbortSignal.timeout(VERSION_TIME_MS) });
  return answer.type === "answered" && answer.code === 0 ? parseVersion(answer.stdout) : undefined;
}

/** The first thing with dots between numbers: `5.2.15(1)-release` of `GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)`. */
export function parseVersion(answer: string): Version {
  return /\b[0-9]{1,9}(\.[0-9]{1,9})+[-+.()~\w]{0,40}/.exec(answer.slice(0, 1_000))?.[0].slice(0, 64);
}
