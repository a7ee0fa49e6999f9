// The commands about people's keys: asking for one, approving, changing, recovering, revoking; roles; a second machine.
import { Command, Option } from "commander";
import { addExample, withCommon, withNewKey } from "./shared-options.ts";
import { duration } from "../quantity.ts";
import type { SetExitCode } from "./shared-options.ts";
import type { World } from "../world.ts";

const load = {
  create: () => import("../commands/key-create.ts"),
  approve: () => import("../commands/key-approve.ts"),
  recover: () => import("../commands/key-recover.ts"),
  change: () => import("../commands/key-change.ts"),
  revoke: () => import("../commands/key-revoke.ts"),
};

export function addKeyCommands(cli: Command, world: World, setExitCode: SetExitCode): void {
  const key = new Command("key").description("Signature keys: ask for one, approve, recover, change, revoke.");
  for (const command of [createCommand(world, setExitCode), forgotCommand(world, setExitCode)]) key.addCommand(command);
  key.addCommand(requestCommand(world, setExitCode));
  for (const command of [recoverCommand(world), changeCommand(world), fileCommand(world)]) key.addCommand(command);
  for (const command of [requestsCommand(world), approveCommand(world), rejectCommand(world)]) key.addCommand(command);
  key.addCommand(revokeCommand(world));
  addExample(key, ["keybound key forgot", "keybound key recover keybound-recovery.age", "keybound key approve Grace"]);
  cli.addCommand(key);
  cli.addCommand(roleCommand(world));
  cli.addCommand(loginCommand(world));
}

/** How long to wait to be called. */
function withCall(command: Command): Command {
  return command
    .option("--no-wait", "only leave the request with the relay")
    .option("--wait-timeout <time>", "stop waiting to be called after this time; the request stays", duration);
}

/** Whether to wait for devices and colleagues to say that they have heard. */
function withHeard(command: Command): Command {
  return command.option("--no-wait", "do not wait for devices and colleagues to hear of it");
}

function createCommand(world: World, setExitCode: SetExitCode): Command {
  const command = new Command("create")
    .description("Ask for a signature key in an organisation, and wait to be approved.")
    .requiredOption("--relay <url>", "the relay: ws://HOST:PORT or wss://HOST[:PORT]")
    .requiredOption("--pin <pin>", "the organisation's pin, as an admin's keybound status shows it")
    .option("--name <person>", "your name, as colleagues will see it")
    .option("--operator <name>", "you are this operator already, and have lost your home folder: replace your key")
    .action(async (options) => setExitCode(await (await load.create()).createKey(world, options)));
  addExample(command, [
    "keybound key create --relay wss://relay.example --pin DBAWV-JX9G0-HBPRB-ZQGRF-36KH7 --name 'Grace Hopper'",
  ]);
  return withCommon(withCall(withNewKey(command)));
}

function forgotCommand(world: World, setExitCode: SetExitCode): Command {
  const command = new Command("forgot")
    .description("Ask an admin for a new key in place of yours, whose passphrase you forgot.")
    .action(async (options) => setExitCode(await (await load.create()).forgotKey(world, options)));
  addExample(command, ["keybound key forgot"]);
  return withCommon(withCall(withNewKey(command)), { yes: true });
}

function requestCommand(world: World, setExitCode: SetExitCode): Command {
  const command = new Command("request")
    .description("Show the code of your own request, and wait to be called by an admin.")
    .option("--cancel", "take the request back")
    .action(async (options) => setExitCode(await (await load.create()).ownRequest(world, options)));
  addExample(command, ["keybound key request"]);
  return withCommon(withCall(command));
}

function recoverCommand(world: World): Command {
  const command = new Command("recover")
    .description("Set a new key by your recovery file, with nobody's approval.")
    .argument("<file>", "the recovery file; it is used up")
    .option("--relay <url>", "the relay, where it is another than the file says")
    .option("--file-passphrase-file <file>", "read the passphrase of the recovery file from this file")
    .action(async (file, options) => (await load.recover()).recoverKey(world, file, options));
  addExample(command, ["keybound key recover keybound-recovery-2026-11-24-a1b2c3.age"]);
  return withCommon(withNewKey(command));
}

function changeCommand(world: World): Command {
  const command = new Command("change")
    .description("Change your passphrase, and with it your key; also to renew a key before it ends.")
    .option("--new-passphrase-file <file>", "read the new passphrase from this file")
    .addOption(
      new Option("--queued <what>", "your jobs that devices have not got: sign them again, or take them back").choices([
        "resign",
        "drop",
      ]),
    )
    .action(async (options) => (await load.change()).changeKey(world, options));
  addExample(command, ["keybound key change"]);
  return withCommon(withHeard(withNewKey(command, { mode: false })));
}

function fileCommand(world: World): Command {
  const command = new Command("recovery-file")
    .description("Make a recovery file; the one that you have is dead from then on.")
    .option("--recovery-file <file>", "where to write it")
    .option("--recovery-passphrase-file <file>", "read its own passphrase from this file")
    .option("--end", "only end the one that you have")
    .action(async (options) => (await load.change()).recoveryFile(world, options));
  addExample(command, ["keybound key recovery-file --recovery-file /media/usb/keybound.age"]);
  return withCommon(withHeard(command));
}

function requestsCommand(world: World): Command {
  const command = new Command("requests")
    .description("List who waits for a key.")
    .action(async (options) => (await load.approve()).requests(world, options));
  addExample(command, ["keybound key requests"]);
  return withCommon(command, { passphrase: false });
}

function approveCommand(world: World): Command {
  const command = new Command("approve")
    .description("Approve somebody's key, after you have heard six digits or the code from that person.")
    .argument("[who]", "the name, or the beginning of the code, where more than one waits")
    .addOption(
      new Option("--role <role>", "what a new person may do (operator)").choices(["admin", "operator", "auditor"]),
    )
    .option("--code [code]", "by the 20-character code that the person has, not by six digits")
    .action(async (who, options) => (await load.approve()).approveKey(world, who, options));
  addExample(command, ["keybound key approve Grace", "keybound key approve Grace --role admin --code"]);
  return withCommon(withHeard(command));
}

function rejectCommand(world: World): Command {
  const command = new Command("reject")
    .description("Reject a request for a key; the person may ask again.")
    .argument("<who>", "the name, or the beginning of the code")
    .action(async (who, options) => (await load.approve()).rejectKey(world, who, options));
  addExample(command, ["keybound key reject Mallory"]);
  return withCommon(command, { passphrase: false, yes: true });
}

function revokeCommand(world: World): Command {
  const command = new Command("revoke")
    .description("End a key: an admin another's, everybody their own.")
    .argument("<who>", "the person's name")
    .option("--reason <text>", "why; it stands in the key log for everybody")
    .option("--keep-jobs", "let jobs go on that devices have accepted and not begun")
    .action(async (who, options) => (await load.revoke()).revokeKey(world, who, options));
  addExample(command, ["keybound key revoke Grace --reason 'left the company'"]);
  return withCommon(withHeard(command), { yes: true });
}

function roleCommand(world: World): Command {
  const role = new Command("role").description("Give an operator another role.");
  const set = new Command("set")
    .description("Make somebody an admin, an operator or an auditor.")
    .argument("<who>", "the person's name")
    .addArgument(new Command().createArgument("<role>", "the new role").choices(["admin", "operator", "auditor"]))
    .action(async (who, to, options) => (await load.revoke()).setRole(world, { who, role: to }, options));
  addExample(set, ["keybound role set Grace admin"]);
  role.addCommand(withCommon(withHeard(set), { yes: true }));
  addExample(role, ["keybound role set Grace admin"]);
  return role;
}

function loginCommand(world: World): Command {
  const command = new Command("login")
    .description("Make your key usable on this machine, by its setup code and your passphrase.")
    .requiredOption("--relay <url>", "the relay: ws://HOST:PORT or wss://HOST[:PORT]")
    .option("--setup-code-file <file>", "read the setup code from this file")
    .option("--pin <pin>", "for a key of the passphrase alone: the organisation's pin")
    .option("--name <person>", "for a key of the passphrase alone: whose it is")
    .action(async (options) => (await import("../commands/login.ts")).login(world, options));
  addExample(command, ["keybound login --relay wss://relay.example"]);
  return withCommon(command);
}
