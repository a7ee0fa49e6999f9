// The commands about the organisation as a whole: closing it, beginning anew, and signing again what it had.
import { Command } from "commander";
import type { World } from "../world.ts";
import { addExample, withCommon, withNewKey } from "./shared-options.ts";

export function addTenantCommands(cli: Command, world: World): void {
  const tenant = new Command("tenant").description(
    "The organisation: begin it anew when nobody can sign, or close it.",
  );
  for (const command of [resetCommand(world), restoreCommand(world), closeCommand(world)]) tenant.addCommand(command);
  addExample(tenant, ["keybound tenant reset --claim CODE", "keybound tenant restore keybound-copy-acme-epoch-1.json"]);
  cli.addCommand(tenant);
}

function resetCommand(world: World): Command {
  const command = new Command("reset")
    .description("Nobody can sign any more: begin the organisation anew. Every device has to be redeployed.")
    .requiredOption(
      "--claim <code>",
      "a claim code that the relay's operator made for this: keybound-relay claim --reset PIN",
    )
    .option("--confirm <name>", "the organisation's name in full, where nobody can be asked for it")
    .option("--old-passphrase-file <file>", "your present key still signs: close the organisation by it first")
    .option("--copy <file>", "where to keep the copy of groups, classes and policy")
    .option("--name <person>", "your name, if another than in this home")
    .option("--relay <url>", "the relay, if another than this home's, or where there is no home")
    .option("--pin <pin>", "where there is no home: the pin of the organisation")
    .action(async (options) => (await import("../commands/tenant-reset.ts")).resetTenant(world, options));
  addExample(command, [
    "keybound-relay claim --reset DBAWV-JX9G0-HBPRB-ZQGRF-36KH7",
    "keybound tenant reset --claim CODE",
  ]);
  return withCommon(withNewKey(command));
}

function restoreCommand(world: World): Command {
  const command = new Command("restore")
    .description("Sign groups, classes, names and policy of a copy again, for the devices that have come over.")
    .argument("<copy>", "the file that keybound tenant reset wrote")
    .action(async (copy, options) =>
      (await import("../commands/tenant-restore.ts")).restoreTenant(world, copy, options),
    );
  addExample(command, ["keybound tenant restore keybound-copy-acme-epoch-1.json"]);
  return withCommon(command, { yes: true });
}

function closeCommand(world: World): Command {
  const command = new Command("close")
    .description("End the organisation for good: devices that hear of it take no more jobs.")
    .requiredOption("--reason <text>", "why; it stands in the key log for everybody")
    .option("--confirm <name>", "the organisation's name in full, where nobody can be asked for it")
    .action(async (options) => (await import("../commands/tenant-close.ts")).closeTenant(world, options));
  addExample(command, ["keybound tenant close --reason 'the company was sold'"]);
  return withCommon(command);
}
