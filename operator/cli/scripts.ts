// The commands about scripts of a library.
import { Command } from "commander";
import { repeated } from "../quantity.ts";
import type { World } from "../world.ts";
import { withRunOptions } from "./jobs.ts";
import { addExample, type SetExitCode, withCommon } from "./shared-options.ts";

const load = () => import("../commands/script.ts");

export function addScriptCommands(cli: Command, world: World, setExitCode: SetExitCode): void {
  const script = new Command("script").description("Keep scripts with a header for their parameters, and run them.");
  script.addCommand(addCommand(world));
  script.addCommand(listCommand(world));
  script.addCommand(showCommand(world));
  script.addCommand(runCommand(world, setExitCode));
  script.addCommand(removeCommand(world));
  addExample(script, [
    "keybound script add restart-service.sh",
    "keybound script run restart-service --on web1 --param service=nginx",
  ]);
  cli.addCommand(script);
}

function addCommand(world: World): Command {
  const add = new Command("add")
    .description("Copy a script into the library of the home folder.")
    .argument("[file]", "a script with a header")
    .option("--from <dir>", "each script of this folder, all or none")
    .option("--force", "replace a script of the same name")
    .action(async (file, options) => (await load()).addScript(world, file, options));
  addExample(add, ["keybound script add restart-service.sh", "keybound script add --from ~/team-scripts --force"]);
  return withCommon(add, { passphrase: false });
}

function listCommand(world: World): Command {
  const list = new Command("list")
    .description("List the library's scripts: parameters in brackets have a default.")
    .option("--names", "only their names, one a line")
    .action(async (options) => (await load()).listScripts(world, options));
  addExample(list, ["keybound script list", "keybound script list --library ~/team-scripts"]);
  return withLibrary(withCommon(list, { passphrase: false }));
}

function showCommand(world: World): Command {
  const show = new Command("show")
    .description("Show a script: what its header says, and its source.")
    .argument("<name>", "its name")
    .action(async (name, options) => (await load()).showScript(world, name, options));
  addExample(show, ["keybound script show restart-service"]);
  return withLibrary(withCommon(show, { passphrase: false }));
}

function runCommand(world: World, setExitCode: SetExitCode): Command {
  const run = new Command("run")
    .description("Sign a script of the library for devices, with values for its parameters, and show what they did.")
    .argument("<name>", "its name")
    .option("--param <name=value>", "a parameter; may be repeated", repeated)
    .option(
      "--param-file <name=file>",
      "a parameter that is read from a file, as secrets are; may be repeated",
      repeated,
    )
    .option("--fitting", "leave out devices that the script's platform does not fit, where it would be refused")
    .action(async (name, options) =>
      setExitCode(await (await import("../commands/script-run.ts")).runScript(world, name, options)),
    );
  addExample(run, [
    "keybound script run restart-service --on web1,web2 --param service=nginx --param wait=1m",
    "keybound script run join-domain --group office --fitting --param-file password=/dev/fd/3 3< secret.txt",
  ]);
  return withLibrary(withCommon(withRunOptions(run)));
}

function removeCommand(world: World): Command {
  const remove = new Command("remove")
    .description("Remove a script from the library of the home folder.")
    .argument("<name>", "its name")
    .action(async (name, options) => (await load()).removeScript(world, name, options));
  addExample(remove, ["keybound script remove restart-service"]);
  return withCommon(remove, { passphrase: false });
}

function withLibrary(command: Command): Command {
  return command.option("--library <dir>", "a folder of scripts to use in place of the home's library");
}
