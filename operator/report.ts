// How a failure is said: the code and what it is about, its sentence, and what to do. A bug of ours is said as one.
import { CommanderError } from "commander";
import { Refusal } from "../protocol/refusal.ts";
import { Fault } from "./fault.ts";
import { plain } from "./present/escape.ts";
import type { World } from "./world.ts";

/** Says it on stderr and answers the exit code: 1 refused or failed, 2 misused; 0 where commander only showed help. */
export function report({ stderr }: World, error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof Fault || error instanceof Refusal) {
    const { code, detail, sentence, hint } = error;
    stderr.write(`keybound: ${code}: ${sentence}${detail === "" ? "" : `: ${plain(detail)}`}\nhint: ${hint}\n`);
    return code === "misuse" ? 2 : 1;
  }
  stderr.write(`keybound: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  stderr.write("hint: this is a bug of ours, please report it with the lines above\n");
  return 1;
}
