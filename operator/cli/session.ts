// The commands about how often the passphrase is asked for, and about the key that is kept unlocked in between.
import { Command, Option } from "commander";
import type { World } from "../world.ts";
import { addExample, withCommon } from "./shared-options.ts";

export function addSessionCommands(cli: Command, world: World): void {
  cli.addCommand(unlockCommand(world));
  cli.addCommand(lockCommand(world));
  cli.addCommand(promptCommand(world));
  cli.addCommand(holdCommand(world), { hidden: true });
}

function unlockCommand(world: World): Command {
  const command = new Command("unlock")
    .description("Type the passphrase now, and keep the key unlocked for a while.")
    .addOption(new Option("--for <time>", "24 or 168 hours, if not as keybound prompt says").choices(["day", "week"]))
    .action(async (options) => (await import("../commands/unlock.ts")).unlock(world, options));
  addExample(command, ["keybound unlock --for day"]);
  return withCommon(command);
}

function lockCommand(world: World): Command {
  const command = new Command("lock")
    .description("Lock the key: from now on the passphrase is asked for.")
    .action(async (options) => (await import("../commands/lock.ts")).lock(world, options));
  addExample(command, ["keybound lock"]);
  return withCommon(command, { passphrase: false });
}

function promptCommand(world: World): Command {
  const command = new Command("prompt")
    .description("Show or set how often the passphrase is asked for: at each task, once a day or once a week.")
    .argument("[choice]", "task, day or week")
    .action(async (choice, options) => (await import("../commands/prompt.ts")).prompt(world, choice, options));
  addExample(command, ["keybound prompt", "keybound prompt day"]);
  return withCommon(command, { passphrase: false });
}

/** The key holder's process, which other commands start. */
function holdCommand(world: World): Command {
  const command = new Command("hold")
    .description("Keep a key unlocked; started by other commands.")
    .action(async () => (await import("../holder/hold.ts")).hold(world));
  addExample(command, ["keybound unlock", "keybound hold   # is what it starts"]);
  return command;
}
