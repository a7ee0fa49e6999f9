// The table that is drawn anew on a terminal while many devices answer.
import { createLogUpdate } from "log-update";
import { DRAW_EVERY_MS, MAX_LIVE_ROWS } from "../limits.ts";
import type { DeviceResult, Target } from "../results/watch-jobs.ts";
import type { World } from "../world.ts";
import { hasSucceeded, resultWords } from "./result-words.ts";
import { printGroups, type RunView } from "./run-view.ts";

/** Draws on stderr; at the end the table goes, and the grouped results stand on stdout. `finish` ends its timer. */
export function liveView(world: World, targets: readonly Target[]): RunView {
  const states = new Map(targets.map(({ device }) => [device.name, "waiting"]));
  const results = new Map<string, DeviceResult>();
  const draw = createLogUpdate(world.stderr);
  const timer = setInterval(() => draw(frame(states, results)), DRAW_EVERY_MS);
  return {
    onState: ({ device }, { delivery }) => void states.set(device.name, stateWord(delivery)),
    isQuiet: true,
    onOutput: () => undefined,
    onMissed: () => undefined,
    onResult: ({ device }, result) => {
      states.set(device.name, resultWords(result));
      results.set(device.name, result);
    },
    finish: (ended) => {
      clearInterval(timer);
      draw.clear();
      draw.done();
      printGroups(world, ended);
    },
  };
}

/** Devices that have not ended come first: they are what is waited for. */
export function frame(states: ReadonlyMap<string, string>, results: ReadonlyMap<string, DeviceResult>): string {
  const names = [...states.keys()].toSorted((a, b) => Number(results.has(a)) - Number(results.has(b)));
  const shown = names.slice(0, MAX_LIVE_ROWS);
  const width = Math.max(...shown.map((name) => name.length));
  const rows = shown.map((name) => `${mark(results.get(name))} ${name.padEnd(width)}  ${states.get(name) ?? ""}`);
  const hidden = names.length - shown.length;
  const failed = [...results.values()].filter((result) => !hasSucceeded(result)).length;
  const sum = `${results.size} of ${names.length} answered${failed === 0 ? "" : `, ${failed} not as asked`}`;
  return [...rows, ...(hidden > 0 ? [`  and ${hidden} more`] : []), sum].join("\n");
}

function mark(result: DeviceResult | undefined): string {
  if (result === undefined) return ".";
  return hasSucceeded(result) ? "+" : "!";
}

function stateWord(delivery: string): string {
  return delivery === "taken" ? "accepted" : delivery;
}
