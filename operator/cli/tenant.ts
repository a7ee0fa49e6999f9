// The commands about the organisation as a whole: how it stands, and what has happened.
import { Command } from "commander";
import type { World } from "../world.ts";
import { addExample, type SetExitCode, withCommon } from "./shared-options.ts";

export function addStatusCommands(cli: Command, world: World, setExitCode: SetExitCode): void {
  cli.addCommand(statusCommand(world, setExitCode));
  cli.addCommand(historyCommand(world));
}

function statusCommand(world: World, setExitCode: SetExitCode): Command {
  const command = new Command("status")
    .description("Show the organisation: its people and their keys, what waits, who has not heard, what to do.")
    .option("--all", "people whose keys were revoked as well")
    .action(async (options) => setExitCode(await (await import("../commands/status.ts")).status(world, options)));
  addExample(command, ["keybound status", "keybound status --all"]);
  return withCommon(command, { passphrase: false });
}

function historyCommand(world: World): Command {
  const command = new Command("history")
    .description("Show every event of the key log: what happened, whose key it was about, who signed, and why.")
    .action(async (options) => (await import("../commands/history.ts")).history(world, options));
  addExample(command, ["keybound history"]);
  return withCommon(command, { passphrase: false });
}
