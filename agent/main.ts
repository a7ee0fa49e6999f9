// The agent's program: reads the command line, the clock and the machine, and hands them on. What one command alone needs is loaded
// by it: the daemon would carry the others' modules in memory for as long as it runs.
import { randomBytes } from "node:crypto";
import { tmpdir, userInfo } from "node:os";
import { parseArgs } from "node:util";
import type { Logger } from "pino";
import { Refusal } from "../protocol/refusal.ts";
import { askingProgram, besideProgram } from "./beside-program.ts";
import { AgentFault } from "./fault.ts";
import { HELP } from "./help.ts";
import { closeWayBack, leaveNoWayBack, openToServe } from "./state/held-state.ts";
import { TRIAL_CONNECT_MS } from "./limits.ts";
import { readMachine } from "./machine.ts";
import { type NetworkOptions, networkOf, withSystemProxy } from "./connection/network.ts";
import { defaultState, type Paths, pathsIn } from "./paths.ts";
import { pinnedKeys } from "./update/release-keys.ts";
import { SYSTEM_PLACES } from "./run/account.ts";
import { openContainment } from "./run/containment.ts";
import { InterpreterVersions } from "./run/interpreter-version.ts";
import { LAUNCHER } from "./run/windows-launcher.ts";
import type { RunEnvironment } from "./run/run-job.ts";
import { builtPlatform } from "./update/self-update.ts";
import { countedStart, settleVersions } from "./update/serve-version.ts";
import { StopRequests } from "./service/stop-requests.ts";
import { openSupervisor, type Supervisor, takeSupervisorAddress } from "./service/supervisor.ts";
import { startsAgain, superviseRun } from "./service/supervise-run.ts";
import { VERSION } from "./version.ts";
import { isOnTrial, refuseOnTrial, versionsOf } from "./update/versions.ts";

const now = () => Date.now();
const random = (bytes: number) => new Uint8Array(randomBytes(bytes));

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        state: { type: "string" },
        json: { type: "boolean", default: false },
        trust: { type: "string" },
        rebind: { type: "boolean", default: false },
        last: { type: "string", default: "50" },
        verify: { type: "boolean", default: false },
        proxy: { type: "string" },
        ca: { type: "string" },
        bundle: { type: "string" },
        "until-input-ends": { type: "boolean", default: false },
        prove: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        version: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new AgentFault("misuse", error instanceof Error ? error.message : "", { cause: error });
  }
}

async function main(): Promise<void> {
  const { values, positionals } = commandLine();
  const [command, file, ...surplus] = positionals;
  if (values.version) return print(VERSION.text);
  if (values.help || command === undefined || command === "help") return print(HELP.trimEnd());
  if (surplus.length > 0 || (file !== undefined && command !== "bind"))
    throw new AgentFault("misuse", `${surplus[0] ?? file} is one word too many`);
  const paths = pathsIn(values.state ?? defaultState(process.platform, process.env["ProgramData"]));
  switch (command) {
    case "bind": {
      if (file === undefined) throw new AgentFault("misuse", "bind needs a FILE");
      refuseOnTrial(ownVersions());
      closeWayBack(paths.state, ownVersions());
      const isInteractive = process.stdin.isTTY && process.stderr.isTTY;
      const { trust, rebind, proxy, ca } = values;
      const { bindCommand } = await import("./commands.ts");
      return print(
        await bindCommand({
          paths,
          file,
          trust,
          rebind,
          network: { proxy, ca },
          isInteractive,
          machine: readMachine(now()),
          agent: VERSION,
          now: now(),
          random,
        }),
      );
    }
    case "run":
      await run(
        paths,
        { proxy: values.proxy, ca: values.ca },
        { untilInputEnds: values["until-input-ends"], prove: values.prove },
      );
      // All is written. What a job left behind on purpose may hold its output open, which under Wine keeps a process.
      return process.exit();
    case "network": {
      const { proxy, ca, json } = values;
      const { networkCommand } = await import("./commands.ts");
      const { env, platform } = process;
      return print(await networkCommand({ paths, json, env, platform, change: { proxy, ca } }));
    }
    case "status": {
      const { statusCommand } = await import("./commands.ts");
      return print(statusCommand({ paths, json: values.json, now: now() }));
    }
    case "journal": {
      const { journalCommand } = await import("./commands.ts");
      return print(journalCommand({ paths, json: values.json, last: count(values.last), verify: values.verify }));
    }
    case "leave":
      print(await leaveState(paths));
      // A name that is still being looked up would keep the process.
      return process.exit();
    case "doctor":
      return doctor(paths, values);
    default:
      throw new AgentFault("misuse", `no command ${command}`);
  }
}

const ownVersions = () => versionsOf(process.argv[1] ?? "", { platform: process.platform });

type Serving = {
  readonly options: NetworkOptions;
  readonly supervisor: Supervisor;
  readonly stopping: AbortSignal;
  /** Ends this process in good order, for another version to be started. */
  readonly restart: () => void;
  readonly isStartedAgain: boolean;
  readonly log: Logger;
};

async function run(
  paths: Paths,
  options: NetworkOptions,
  given: { untilInputEnds: boolean; prove: boolean },
): Promise<void> {
  const { openLog } = await import("./service/log.ts");
  const { KEYBOUND_LOG_LEVEL: level = "info", KEYBOUND_LOG_FILE: file, KEYBOUND_LOG_SYSTEM: system } = process.env;
  const log = openLog(level, { file, system });
  // Where the log is a file of its own, what Node says on stderr may end in a file that is gone by then.
  process.once("uncaughtExceptionMonitor", (error) => log.fatal({ err: error }, "ended by a fault"));
  const address = takeSupervisorAddress(process.env, process.pid);
  using stopping = new StopRequests(given.untilInputEnds);
  const isTried = isOnTrial(ownVersions());
  if (given.prove && !isTried) throw new AgentFault("misuse", "--prove is for a version that is on trial");
  // Nothing is served before the proof, whoever started us.
  if (isTried) await prove(paths, { options, stopping: stopping.signal, log });
  if (given.prove) return;
  using supervisor = openSupervisor(address);
  const restart = () => stopping.request();
  const isStartedAgain = startsAgain(process.platform, { supervisor, ...given });
  const serve = () =>
    serveState(paths, { options, supervisor, stopping: stopping.signal, restart, isStartedAgain, log });
  await countedStart({ versions: ownVersions(), log }, () =>
    superviseRun(serve, { supervisor, stopping: stopping.signal, paths }),
  );
}

/** Ends well where this version, which is on trial, has proved itself and is written down as the one to start. */
async function prove(
  paths: Paths,
  { options, stopping, log }: Pick<Serving, "options" | "stopping" | "log">,
): Promise<void> {
  const { proveVersion } = await import("./update/prove.ts");
  const network = () => withSystemProxy(networkOf(paths.state, process.env, options), process.platform, process.env);
  const trial = { machine: readMachine(now()), withinMs: TRIAL_CONNECT_MS, network, now, draw: Math.random, log };
  await proveVersion(paths.state, ownVersions(), trial, stopping);
}

async function serveState(paths: Paths, serving: Serving): Promise<void> {
  const { options, supervisor, stopping, restart, isStartedAgain, log } = serving;
  const { runDaemon } = await import("./daemon.ts");
  const versions = ownVersions();
  using held = openToServe(paths.state);
  const { state, wasReturned } = held;
  const machine = readMachine(now());
  const inventoryCommand = [process.execPath, ...process.execArgv, askingProgram(process.argv[1] ?? "")] as const;
  const { platform } = process;
  const launcher = besideProgram(LAUNCHER);
  const containment = openContainment({ platform, bootId: machine.bootId, running: paths.running, launcher });
  const self = { keys: pinnedKeys(), platform: builtPlatform(machine), versions, isStartedAgain, restart };
  const environment = { ...runEnvironment(paths), containment, self };
  const named = () => networkOf(paths.state, process.env, options);
  // What was typed wrongly is said at once.
  named();
  const network = () => withSystemProxy(named(), platform, process.env);
  const daemon = { state, paths, machine, environment, agent: VERSION, inventoryCommand };
  log.info({ agent: VERSION.text, state: paths.state }, "started");
  leaveNoWayBack(paths.state, versions);
  settleVersions({ state, versions, wasReturned, log, now: now() });
  await runDaemon({ ...daemon, now, random, draw: Math.random, network, supervisor, log }, stopping);
  log.info("stopped");
}

/** What is to be read from it is the one line of the result: the log is silent unless asked. */
async function leaveState(paths: Paths): Promise<string> {
  const { leaveCommand } = await import("./binding/leave-command.ts");
  const { openLog } = await import("./service/log.ts");
  const log = openLog(process.env["KEYBOUND_LOG_LEVEL"] ?? "silent");
  const network = () => withSystemProxy(networkOf(paths.state, process.env), process.platform, process.env);
  return await leaveCommand({ paths, machine: readMachine(now()), agent: VERSION, now, network, log });
}

async function doctor(paths: Paths, { json, bundle }: { json: boolean; bundle?: string | undefined }): Promise<void> {
  const { doctorCommand } = await import("./doctor/doctor-command.ts");
  const { platform, account, windows } = runEnvironment(paths);
  const interpreters = { platform, windows, uid: account.uid };
  const options = {
    paths,
    machine: readMachine(now()),
    agent: VERSION.text,
    versions: ownVersions(),
    env: process.env,
    interpreters,
    now,
  };
  const { text, isWell } = await doctorCommand({ ...options, json, bundle });
  print(text);
  if (!isWell) process.exitCode = 1;
}

function runEnvironment({ jobs, files, placed, fetched }: Paths): Omit<RunEnvironment, "containment" | "self"> {
  const { username, homedir, uid } = userInfo();
  const {
    SystemRoot: systemRoot = "C:\\Windows",
    SystemDrive: systemDrive = "C:",
    ProgramData: programData = "C:\\ProgramData",
    ProgramFiles: programFiles = "C:\\Program Files",
  } = process.env;
  return {
    platform: process.platform,
    account: { name: username, home: homedir, uid },
    windows: { systemRoot, systemDrive, programData, programFiles, temp: tmpdir() },
    places: SYSTEM_PLACES,
    versions: new InterpreterVersions(),
    jobs,
    files,
    placed,
    fetched,
  };
}

function count(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1 || number > 100_000)
    throw new AgentFault("misuse", `--last ${text}, must be 1 to 100000`);
  return number;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(error: unknown): void {
  if (!(error instanceof Refusal || error instanceof AgentFault)) throw error;
  process.stderr.write(`keybound-agent: ${error.message}\n  ${error.sentence}\n  hint: ${error.hint}\n`);
  if (error instanceof Refusal)
    process.stderr.write("  who owns this device, and what it refused: keybound-agent status\n");
  process.exitCode = error.code === "misuse" ? 2 : 1;
}

main().catch(fail);
