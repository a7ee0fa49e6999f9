// What a person or a pipe sees of a running job: one device's output as it is, lines with names, or a live table.
import type { Stream } from "../../protocol/outcome.ts";
import { type Followed } from "../results/follow-job.ts";
import { say } from "../desk.ts";
import type { DeviceResult, Target, Watcher } from "../results/watch-jobs.ts";
import type { World } from "../world.ts";
import { coloured } from "./colour.ts";
import { type Group, groupResults, outputOf } from "./group.ts";
import { LineWriter, RawWriter } from "./output-writer.ts";
import { hasSucceeded, resultHint, resultWords } from "./result-words.ts";

export type Ended = {
  readonly target: Target;
  readonly followed: Followed;
  readonly result: DeviceResult | undefined;
};

/** A view that is told what happens, then once that it is over. */
export type RunView = Watcher & { readonly finish: (ended: readonly Ended[]) => void };

const STREAMS: readonly Stream[] = ["stdout", "stderr"];

/** For one device: its stdout on stdout, its stderr on stderr, and on stderr how it ended unless it succeeded. */
export function singleView(world: World): RunView {
  const writers = { stdout: new RawWriter(world.stdout), stderr: new RawWriter(world.stderr) };
  return {
    isQuiet: false,
    onState: () => undefined,
    onOutput: (_target, stream, bytes) => writers[stream].write(bytes),
    onMissed: (target, stream, bytes) => sayMissed(world, target, { stream, bytes }),
    onResult: (target, result, told) => {
      for (const kept of outputOf(result)) sayLeft(world, target, writers[kept.stream].finish(kept, told[kept.stream]));
      for (const stream of STREAMS) writers[stream].endLine();
      if (!hasSucceeded(result)) sayResult(world, target, result);
    },
    finish: () => undefined,
  };
}

/** For many devices and a pipe: lines as they arrive, with names, then who ended how. */
export function linesView(world: World): RunView {
  const writers = new Map<string, Record<Stream, LineWriter>>();
  const writersOf = ({ device }: Target) => {
    const prefix = `${device.name}: `;
    const made = { stdout: new LineWriter(world.stdout, prefix), stderr: new LineWriter(world.stderr, prefix) };
    const own = writers.get(device.device) ?? made;
    writers.set(device.device, own);
    return own;
  };
  return {
    isQuiet: false,
    onState: () => undefined,
    onOutput: (target, stream, bytes) => writersOf(target)[stream].write(bytes),
    onMissed: (target, stream, bytes) => {
      writersOf(target)[stream].endLine();
      sayMissed(world, target, { stream, bytes });
    },
    onResult: (target, result, told) => {
      const own = writersOf(target);
      for (const kept of outputOf(result)) sayLeft(world, target, own[kept.stream].finish(kept, told[kept.stream]));
      for (const stream of STREAMS) own[stream].endLine();
    },
    finish: (ended) => {
      for (const { names, count, words, hint } of groupResults(answered(ended))) {
        say(world, `${names} (${count}): ${words}${hint === undefined ? "" : `\nhint: ${hint}`}`);
      }
    },
  };
}

function nothing(): void {}

/** For a script that reads JSON: nothing until the end. */
export function silentView(): RunView {
  return { isQuiet: true, onState: nothing, onOutput: nothing, onMissed: nothing, onResult: nothing, finish: nothing };
}

/** Equal results together, each under a line with its devices' names. */
export function printGroups(world: World, ended: readonly Ended[]): void {
  for (const group of groupResults(answered(ended))) printGroup(world, group);
}

function printGroup(world: World, { names, count, words, hint, ok, output }: Group): void {
  const line = "-".repeat(Math.min(60, world.stdout.columns ?? 60));
  const text = `${names} (${count}): ${words}`;
  const head = coloured(world, world.stdout, { as: ok ? "green" : "red", text });
  world.stdout.write(`${line}\n${head}\n${line}\n`);
  for (const kept of output) {
    const writer = new RawWriter(kept.stream === "stdout" ? world.stdout : world.stderr);
    const left = writer.finish(kept, 0);
    writer.endLine();
    if (left > 0) say(world, leftWords(left));
  }
  if (hint !== undefined) say(world, `hint: ${hint}`);
}

export function answered(ended: readonly Ended[]): readonly { target: Target; result: DeviceResult }[] {
  return ended.flatMap(({ target, result }) => (result === undefined ? [] : [{ target, result }]));
}

function sayResult(world: World, { device }: Target, result: DeviceResult): void {
  const text = `${device.name}: ${resultWords(result)}`;
  say(world, coloured(world, world.stderr, { as: "red", text }));
  const hint = resultHint(result);
  if (hint !== undefined) say(world, `hint: ${hint}`);
}

function sayMissed(
  world: World,
  { device }: Target,
  { stream, bytes }: { readonly stream: Stream; readonly bytes: number },
): void {
  say(world, `${device.name}: ${bytes} bytes of ${stream} are left out here`);
}

function sayLeft(world: World, { device }: Target, left: number): void {
  if (left > 0) say(world, `${device.name}: ${leftWords(left)}`);
}

function leftWords(left: number): string {
  return `${left} bytes in the middle of the output were not kept (--output-limit)`;
}
