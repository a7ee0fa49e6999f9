/**
 * `npm run quickstart`: shows in a temporary folder, with real processes, how a device is bound, runs a signed job,
 * proves it, and refuses everything else. Exits with 0 only if all of that was so.
 */
import { parseArgs } from "node:util";
import { performQuickstart } from "./quickstart/perform.ts";

const HELP = `npm run quickstart runs a relay, an agent and an operator on this machine, then five attacks on them.

Usage: npm run quickstart [-- --keep]

Options:
  --keep   leave everything up afterwards, to play with, until Ctrl-C
  --help

Exit: 0 all of it held, 1 something did not, 2 not understood.
`;

function options(): { readonly keep: boolean; readonly help: boolean } | undefined {
  try {
    const flag = { type: "boolean", default: false } as const;
    return parseArgs({ options: { keep: flag, help: flag } }).values;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : ""}\nhint: npm run quickstart -- --help\n`);
    return undefined;
  }
}

const stopping = new AbortController();
// Each time: a second one, which wrappers pass on as well, must not end us while we clear up. That has a time limit.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort(signal));
// A reader that has had enough, such as head, ends the story.
process.stdout.on("error", () => stopping.abort("closed output"));

const given = options();
if (given === undefined) process.exitCode = 2;
else if (given.help) process.stdout.write(HELP);
else {
  const { stdout: out, stderr: err, env } = process;
  process.exitCode = await performQuickstart({ out, err, env, keep: given.keep, signal: stopping.signal });
}
