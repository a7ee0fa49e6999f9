// The commands, their options and their help; each command's own code is loaded when it is called.
import { Command, Option } from "commander";
import { addDeviceCommands } from "./devices.ts";
import { addTenantCommands } from "./reset.ts";
import { addKeyCommands } from "./keys.ts";
import { addJobCommands } from "./jobs.ts";
import { addPolicyCommands } from "./policy.ts";
import { addScriptCommands } from "./scripts.ts";
import { addSessionCommands } from "./session.ts";
import { addStatusCommands } from "./tenant.ts";
import { addExample, type SetExitCode, withCommon, withNewKey } from "./shared-options.ts";
import { SYSTEMS } from "../deployment/systems.ts";
import { VERSION } from "../version.ts";
import { withProxyWishes } from "../connection/proxy-wishes.ts";
import { count, listed, repeated } from "../quantity.ts";
import type { World } from "../world.ts";

/** The whole tree of commands. Parsing throws commander's errors, faults and refusals; nothing ends the process. */
export function buildCli(machine: World, setExitCode: SetExitCode): Command {
  const cli = new Command("keybound")
    .description("Signs jobs that managed devices verify by themselves, and proves what became of them.")
    .version(VERSION, "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    .configureOutput({ writeOut: (text) => machine.stdout.write(text), writeErr: (text) => machine.stderr.write(text) })
    .exitOverride()
    .showHelpAfterError("hint: keybound COMMAND --help");
  addExample(cli, [
    "keybound init --relay ws://127.0.0.1:7600 --claim CODE --org Acme --name Ada",
    "keybound package --out acme.json",
    "keybound devices",
    "keybound run --on web1 -- uname -a",
  ]);
  const world = withProxyWishes(cli, machine);
  addInit(cli, world);
  addPackage(cli, world);
  addStatusCommands(cli, world, setExitCode);
  addKeyCommands(cli, world, setExitCode);
  addDeviceCommands(cli, world);
  addJobCommands(cli, world, setExitCode);
  addScriptCommands(cli, world, setExitCode);
  addPolicyCommands(cli, world);
  addSessionCommands(cli, world);
  addTenantCommands(cli, world);
  addVerify(cli, world, setExitCode);
  addCompletion(cli, world);
  for (const command of cli.commands) inherit(command, cli);
  return cli;
}

/** Settings that commander copies only where a command is made by `command()`, not where it is added. */
function inherit(command: Command, from: Command): void {
  command.copyInheritedSettings(from);
  for (const inner of command.commands) inherit(inner, command);
}

function addInit(cli: Command, world: World): void {
  const command = new Command("init")
    .description("Create the first signature key, and with it the organisation.")
    .requiredOption("--relay <url>", "the relay: ws://HOST:PORT or wss://HOST[:PORT]")
    .requiredOption("--claim <code>", "a claim code that the relay printed")
    .requiredOption("--org <name>", "the organisation's name")
    .requiredOption("--name <person>", "your name, as colleagues will see it")
    .action(async (options) => (await import("../commands/init.ts")).init(world, options));
  addExample(command, ["keybound init --relay wss://relay.example --claim 7K2M-Q9TX --org Acme --name 'Ada Lovelace'"]);
  cli.addCommand(withCommon(withNewKey(command)));
}

function addPackage(cli: Command, world: World): void {
  const command = new Command("package")
    .description("Write a deployment package, which makes a device belong to this organisation.")
    .option("--out <path>", "where to write it (keybound-package.json); with --for a folder that is not there yet")
    .option("--force", "replace the file if it is there")
    .addOption(
      new Option(
        "--for <system>",
        "a folder with the release's installers, the deployment and the lines to paste",
      ).choices([...SYSTEMS, "all"]),
    )
    .option("--release <dir>", "with --for: the release's folder, with its SHA256SUMS (packages beside the program)")
    .option("--from <url>", "with --for: where new machines fetch the installers by cloud-init")
    .option("--rebind", "with --for: lines that take devices away from another owner")
    .option("--group <group>", "put the devices into this group; may be repeated", listed)
    .option("--class <class>", "class of the devices, on which rules of who must sign may depend", "standard")
    .option("--uses <n>", "how many devices may join with it (100)", count)
    .option("--days <n>", "how long it may be used (the package 90 days, its token 30)", count)
    .addOption(
      new Option("--mode <mode>", "admit devices at once or each by hand").choices(["auto", "hand"]).default("auto"),
    )
    .option("--relay <url>", "the relay that devices dial, if not yours; may be repeated", repeated)
    .action(async (options) => {
      if (options.for !== undefined) return (await import("../commands/package-folder.ts")).makeFolder(world, options);
      const { makePackage } = await import("../commands/package.ts");
      return makePackage(world, { ...options, out: options.out ?? "keybound-package.json" });
    });
  addExample(command, [
    "keybound package --out acme.json --group web --days 7 --uses 20",
    "keybound package --for all --group web --release dist/packages --out acme",
  ]);
  cli.addCommand(withCommon(command, { passphrase: true }));
}

function addVerify(cli: Command, world: World, setExitCode: SetExitCode): void {
  const command = new Command("verify")
    .description("Check any signed statement or deployment package, offline, and say what it is.")
    .argument("<file>", "a receipt, job, package or other statement")
    .action(async (file, options) =>
      setExitCode(await (await import("../commands/verify.ts")).verify(world, file, options)),
    );
  addExample(command, ["keybound job show 3fQx --export evidence", "keybound verify evidence/receipt-web1.json"]);
  cli.addCommand(withCommon(command));
}

function addCompletion(cli: Command, world: World): void {
  const command = new Command("completion")
    .description("Print a completion script for a shell.")
    .argument("<shell>", "bash, zsh or fish")
    .action(async (shell) => {
      const { completionScript } = await import("./completion.ts");
      world.stdout.write(completionScript(cli, shell));
    });
  addExample(command, [
    "source <(keybound completion bash)",
    "keybound completion fish > ~/.config/fish/completions/keybound.fish",
  ]);
  cli.addCommand(command);
}
