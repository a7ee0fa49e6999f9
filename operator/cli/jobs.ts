// The commands about jobs.
import { Command, Option } from "commander";
import { count, duration, fileMode, listed, repeated, size } from "../quantity.ts";
import type { World } from "../world.ts";
import { addExample, type SetExitCode, withCommon } from "./shared-options.ts";

export function addJobCommands(cli: Command, world: World, setExitCode: SetExitCode): void {
  cli.addCommand(runCommand(world, setExitCode));
  cli.addCommand(cancelCommand(world, setExitCode));
  cli.addCommand(rerunCommand(world, setExitCode));
  cli.addCommand(fetchCommand(world, setExitCode));
  cli.addCommand(updateCommand(world, setExitCode));
  cli.addCommand(jobsCommand(world));
  cli.addCommand(jobCommand(world, setExitCode));
}

function runCommand(world: World, setExitCode: SetExitCode): Command {
  const run = new Command("run")
    .description("Sign a command or script for devices, send it, and show what they prove to have done.")
    .argument("[command...]", "after --: one word is a line for the shell, several are one command's words")
    .option("--script <file>", "run this file; words after -- are its arguments")
    .option(
      "--shell <shell>",
      "sh, bash, zsh, powershell, pwsh, cmd, python, or exec for no shell at all (as the script's first line or name says, else sh)",
    )
    .action(async (words, options) =>
      setExitCode(await (await import("../commands/run.ts")).run(world, words, options)),
    );
  addExample(run, [
    "keybound run --on web1,web2 -- systemctl is-active nginx",
    "keybound run --group web --script patch.sh --timeout 20m",
    "keybound run --on web1 --file app.conf:/etc/app/app.conf --file-mode 0644 -- systemctl reload app",
    'keybound run --all --window "sat,sun 22:00-04:00" --expires 7d --may-reboot -- apt-get -y upgrade',
    "keybound run --on web1 --at 02:00 --every 1d --count 14 -- /usr/local/bin/backup",
  ]);
  return withCommon(withRunOptions(run));
}

/** What every command that runs something on devices takes, whatever it runs. */
export function withRunOptions(command: Command): Command {
  return command
    .option("--on <devices>", "names of devices, with commas between; may be repeated", listed)
    .option("--group <groups>", "the devices of these groups; may be repeated", listed)
    .option("--all", "every device of the roster")
    .option("--env <name=value>", "a variable for the job; may be repeated", repeated)
    .option("--cwd <dir>", "the folder it runs in, absolute")
    .option("--user <name>", "run as this user, not as the system")
    .addOption(
      new Option("--as-console", "run as whoever is logged on at the device").conflicts(["user", "eachSession"]),
    )
    .addOption(new Option("--each-session", "run once in each active session, as its user").conflicts(["user"]))
    .option("--stdin <file>", "what it reads on standard input; - is yours")
    .option(
      "--file <local[:remote]>",
      "bring this file to $KEYBOUND_FILES, or to an absolute path; may be repeated",
      repeated,
    )
    .option("--file-mode <mode>", "mode of the files, such as 0644 (0600; 0700 for a program)", fileMode)
    .option("--file-owner <name>", "whose they shall be (the job's user)")
    .option("--timeout <time>", "end it after this time (1h)", duration)
    .option("--output-limit <size>", "bytes kept of each stream: half from its beginning, half from its end (1M)", size)
    .option("--end-at-output <size>", "end it when it has written more than this", size)
    .option("--max-processes <n>", "how many of its processes may live at once", count)
    .option("--max-memory <size>", "memory of all its processes together (at least 16M)", size)
    .addOption(new Option("--priority <priority>", "how it is scheduled").choices(["low", "normal", "high"]))
    .option("--leave", "processes that it leaves in the background live on")
    .option("--expires <time>", "how long it is good for, counted from --at or the last of --every (24h)", duration)
    .option("--at <time>", "not before: 2026-12-01T22:00 (yours; or with Z, +01:00), 22:00, +2h")
    .option("--window <hours>", 'begin only in these hours of each device\'s own clock: "mon-fri 22:00-04:00"')
    .addOption(
      new Option("--every <time>", "again and again: 1d, 12h; at least a minute apart")
        .argParser(duration)
        .conflicts(["wait", "waitTimeout", "exitCode"]),
    )
    .option("--count <n>", "how often; unless said as often as the policy lets one job live", count)
    .option("--until <time>", "no more after this time; as --at")
    .option("--label <text>", "what to call it in lists; only its readers see it")
    .option("--lock <name>", "never beside another job with this lock on one device")
    .option("--may-reboot", "ending by a restart of the device is success")
    .option("--wait", "wait for the answers (that is the default)")
    .option("--wait-timeout <time>", "stop waiting after this time; the job stays queued", duration)
    .addOption(new Option("--detach", "do not wait").conflicts(["wait", "waitTimeout"]))
    .addOption(
      new Option(
        "--exit-code",
        "with one device: end with the job's own exit code, or 255 where it has none",
      ).conflicts("detach"),
    )
    .option("--ignore-clock", "sign although the relay's clock differs by more than ten minutes");
}

function cancelCommand(world: World, setExitCode: SetExitCode): Command {
  const cancel = new Command("cancel")
    .description("End a job where it runs and keep it from beginning elsewhere; each device proves how far it had got.")
    .argument("<job>", "its id or its batch's, or the beginning of it")
    .option("--on <devices>", "only on these of its devices, with commas between; may be repeated", listed)
    .option("--group <groups>", "only on the devices of these groups; may be repeated", listed)
    .option("--wait-timeout <time>", "stop waiting after this time; the cancel stays queued", duration)
    .addOption(new Option("--detach", "do not wait").conflicts("waitTimeout"))
    .option("--ignore-clock", "sign although the relay's clock differs by more than ten minutes")
    .action(async (id, options) =>
      setExitCode(await (await import("../commands/cancel.ts")).cancel(world, id, options)),
    );
  addExample(cancel, ["keybound cancel 3fQx", "keybound cancel 3fQx --on web1,web2 --yes"]);
  return withCommon(cancel, { yes: true });
}

function rerunCommand(world: World, setExitCode: SetExitCode): Command {
  const rerun = new Command("rerun")
    .description("Run a job again, as a new one, on just those of its devices that failed or never began it.")
    .argument("<job>", "its id or its batch's, or the beginning of it")
    .option("--failed", "where the verified receipt says that it failed")
    .option(
      "--unanswered",
      "where there is no answer: cancelled there first, and run where that proves that it never began",
    )
    .option("--on <devices>", "only on these of its devices, with commas between; may be repeated", listed)
    .option("--group <groups>", "only on the devices of these groups; may be repeated", listed)
    .option("--expires <time>", "devices that come later than this do not run it (24h)", duration)
    .option("--wait-timeout <time>", "stop waiting after this time; the job stays queued", duration)
    .addOption(new Option("--detach", "do not wait").conflicts("waitTimeout"))
    .option("--ignore-clock", "sign although the relay's clock differs by more than ten minutes")
    .action(async (id, options) => setExitCode(await (await import("../commands/rerun.ts")).rerun(world, id, options)));
  addExample(rerun, ["keybound rerun 3fQx --failed", "keybound rerun 3fQx --unanswered --on web3"]);
  return withCommon(rerun, { yes: true });
}

function fetchCommand(world: World, setExitCode: SetExitCode): Command {
  const fetch = new Command("fetch")
    .description("Fetch one file of a device by a signed job, verified against the device's receipt.")
    .argument("<device>", "its name")
    .argument("<path>", "the file there, absolute and without links")
    .option("--to <file>", "where to put it, a file or a folder (its own name, here)")
    .option("--force", "replace a file that is there")
    .option("--max-size <size>", "refuse a larger file (100M)", size)
    .option("--expires <time>", "a device that comes later does not send it (24h)", duration)
    .option("--wait-timeout <time>", "stop waiting after this time; the job stays queued", duration)
    .option("--ignore-clock", "sign although the relay's clock differs by more than ten minutes")
    .action(async (device, path, options) =>
      setExitCode(await (await import("../commands/fetch.ts")).fetchCommand(world, device, path, options)),
    );
  addExample(fetch, ["keybound fetch web1 /var/log/app.log", "keybound fetch web1 /etc/app.conf --to backup/"]);
  return withCommon(fetch);
}

function updateCommand(world: World, setExitCode: SetExitCode): Command {
  const update = new Command("update")
    .description("Update the agent on devices to the version of a signed release; each proves what runs there then.")
    .requiredOption("--release <dir>", "the folder with release.json and the files that it names")
    .option("--on <devices>", "names of devices, with commas between; may be repeated", listed)
    .option("--group <groups>", "the devices of these groups; may be repeated", listed)
    .option("--all", "every device of the roster")
    .addOption(
      new Option("--canary <n>", "first on so many of them, and on the others only when all of these were updated")
        .argParser(count)
        .conflicts("detach"),
    )
    .option("--expires <time>", "a device that comes later than this is not updated (24h)", duration)
    .option("--wait", "wait for the answers (that is the default)")
    .option("--wait-timeout <time>", "stop waiting after this time; the job stays queued", duration)
    .addOption(new Option("--detach", "do not wait").conflicts(["wait", "waitTimeout"]))
    .option("--ignore-clock", "sign although the relay's clock differs by more than ten minutes")
    .action(async (options) => setExitCode(await (await import("../commands/update.ts")).update(world, options)));
  addExample(update, [
    "keybound update --release keybound-0.2.0 --on web1",
    "keybound update --release keybound-0.2.0 --all --canary 3",
  ]);
  return withCommon(update);
}

function jobsCommand(world: World): Command {
  const jobs = new Command("jobs")
    .description("List jobs that the relay keeps, newest first; who signed each is checked.")
    .option("--limit <n>", "how many (20)", count)
    .action(async (options) => (await import("../commands/jobs.ts")).jobs(world, options));
  addExample(jobs, ["keybound jobs --limit 50"]);
  return withCommon(jobs, { passphrase: false });
}

function jobCommand(world: World, setExitCode: SetExitCode): Command {
  const job = new Command("job").description("Show one job.");
  const show = new Command("show")
    .description("Show a job, and each device's verified receipt and output.")
    .argument("<job>", "its id, or the beginning of it")
    .option("--failed", "of the devices only those that did not succeed, or have not answered")
    .option("--export <dir>", "also write the job and each receipt as files for keybound verify")
    .option("--unlock", "ask for the passphrase, to read what was sealed to your key but not to this client")
    .addOption(
      new Option("--follow", "wait for what has not ended, and show its output as it comes").conflicts([
        "export",
        "failed",
        "unlock",
      ]),
    )
    .action(async (id, { follow, ...options }) => {
      if (follow === true) setExitCode(await (await import("../commands/job-follow.ts")).followJob(world, id, options));
      else setExitCode(await (await import("../commands/job-show.ts")).showJob(world, id, options));
    });
  addExample(show, [
    "keybound job show 3fQx",
    "keybound job show 3fQx --follow",
    "keybound job show 3fQx --failed",
    "keybound job show 3fQx --export evidence",
  ]);
  job.addCommand(withCommon(show));
  addExample(job, ["keybound job show 3fQx"]);
  return job;
}
