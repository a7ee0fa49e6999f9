// A terminal for tests: runs the operator's program on one, made by Python's pty, and types what is expected of a person.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectDone, MAIN, type OperatorHouse, runProgram } from "./house.ts";

export type Screen = { readonly code: number; readonly screen: string; readonly left: number };
export type Steps = readonly (readonly [waitFor: string, type: string])[];

/** What was on the screen, and how many steps were left when the program ended. */
export async function atTerminal(
  house: OperatorHouse,
  args: readonly string[],
  { steps, env = {} }: { readonly steps: Steps; readonly env?: Readonly<Record<string, string>> },
): Promise<Screen> {
  const script = house.path("script.json");
  const all = { KEYBOUND_HOME: house.home, TERM: "xterm", ...env };
  writeFileSync(script, JSON.stringify({ command: [process.execPath, MAIN, ...args], env: all, steps }));
  const python = join(import.meta.dirname, "at-terminal.py");
  return JSON.parse(expectDone(await runProgram(python, [script], { program: "python3" })).stdout);
}
