// Runs one verified job: its process, its output, its limits, its end. Nothing here decides whether it may run.
import { setTimeout as sleep } from "node:timers/promises";
import { fromBase64url } from "../../protocol/bytes.ts";
import type { JobBody, PlatformLimit } from "../../protocol/job-body.ts";
import type { KeptStream } from "../../protocol/output.ts";
import { isSuccess, type Outcome, type Stream, refusedOutcome } from "../../protocol/outcome.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import { Refusal, refuse } from "../../protocol/refusal.ts";
import type { Runnable } from "../../protocol/verify-job.ts";
import type { SelfUpdate } from "../update/self-update.ts";
import { KILL_WAIT_MS, PIPE_WAIT_MS } from "../limits.ts";
import { type Account, type AgentAccount, checkUser, findAccounts, type SystemPlaces } from "./account.ts";
import { changeFault, SCRIPT_AT, scriptFor, SOURCE_AT, throughChanger, unsettable } from "./change-user.ts";
import type { Containment, Enclosure, JobProcess } from "./containment.ts";
import type { WindowsFolders } from "./environment.ts";
import { type Causes, firstCause, notStarted, seenThrough } from "./first-cause.ts";
import { findInterpreter, type Interpreter } from "./interpreter.ts";
import { type InterpreterVersions, soon } from "./interpreter-version.ts";
import { KeptOutput } from "./kept-output.ts";
import { type Launch, launchOf } from "./launch.ts";
import { Pipes } from "./pipes.ts";
import { placeSource, type Source } from "./source-file.ts";

/** The machine as far as running a job needs it. */
export type RunEnvironment = {
  readonly platform: NodeJS.Platform;
  readonly account: AgentAccount;
  readonly windows: WindowsFolders;
  readonly places: SystemPlaces;
  readonly versions: InterpreterVersions;
  readonly containment: Containment;
  /** Folder for sources, private to the agent. */
  readonly jobs: string;
  /** Folders for sealed files of jobs, and for what is opened of them. */
  readonly files: string;
  readonly placed: string;
  /** Folder for fetched files on their way out. */
  readonly fetched: string;
  /** The agent's own program, and how another takes its place. */
  readonly self: SelfUpdate;
};

/** A job that this machine can run: its interpreter was found before it was claimed. Its accounts are found when its turn comes. */
export type PreparedJob = {
  readonly runnable: Runnable<"run">;
  readonly interpreter: Interpreter;
  /** The job's own folder, once its files are in their places; absent where it brings none. */
  readonly files?: string;
};

export type RunResult = {
  readonly outcome: Outcome;
  readonly kept: readonly KeptStream[];
  readonly contained: Receipt["contained"];
  /** Absent where nothing was started. */
  readonly interpreter?: string;
  readonly interpreterVersion?: string;
  /** Limits of the job that were not applied. */
  readonly unenforced?: readonly PlatformLimit[];
};

export type EndCause = Extract<Outcome, { type: "cancelled" }>["by"];

export type RunningJob = {
  readonly done: Promise<RunResult>;
  /** Ends the job's tree; the first cause that ends a job is its outcome. */
  readonly end: (by: EndCause) => void;
  /** Stops reading what the job writes, so that it stops when its pipes are full; or goes on. After its exit all is read. */
  readonly hold: (isHeld: boolean) => void;
};

/** The bytes are the reader's own from then on. */
export type OnOutput = (stream: Stream, bytes: Uint8Array) => void;

/** Throws `shell-absent`, `user-denied` or `platform-lacks`. */
export function prepareJob(runnable: Runnable<"run">, environment: RunEnvironment): PreparedJob {
  const { platform, account: agent, windows, places, containment } = environment;
  containment.check?.(runnable.body);
  const { user, env } = runnable.body;
  checkUser(user, { agent, platform, places });
  // On POSIX a shell sets them.
  const isSet = user.as === "system" || platform === "win32";
  const unset = isSet ? undefined : unsettable(env.map(({ name }) => name));
  if (unset !== undefined) throw refuse("platform-lacks", `a variable ${unset} for another user`);
  return { runnable, interpreter: findInterpreter(runnable.body, { platform, windows, uid: agent.uid }) };
}

/** Starts the job. Its failure to start is an outcome as well; `done` does not reject. */
export function runJob(prepared: PreparedJob, environment: RunEnvironment, onOutput: OnOutput): RunningJob {
  const stop = Promise.withResolvers<Outcome>();
  const pipes = new Pipes();
  return {
    done: run(prepared, { environment, onOutput, stop, pipes }),
    end: (by) => stop.resolve({ type: "cancelled", by }),
    hold: (isHeld) => pipes.hold(isHeld),
  };
}

type RunContext = {
  readonly environment: RunEnvironment;
  readonly onOutput: OnOutput;
  readonly stop: PromiseWithResolvers<Outcome>;
  readonly pipes: Pipes;
};

async function run(prepared: PreparedJob, context: RunContext): Promise<RunResult> {
  const { body } = prepared.runnable;
  const { environment, stop } = context;
  const kept = [
    new KeptOutput("stdout", body.limits.outputBytes),
    new KeptOutput("stderr", body.limits.outputBytes),
  ] as const;
  const { timeMs } = body.limits;
  const timer = setTimeout(() => stop.resolve({ type: "timed-out", afterMs: timeMs }), timeMs);
  try {
    const found = await accountsFor(body.user, context);
    if (found.type === "none") return { outcome: found.outcome, contained: "yes", kept: [] };
    // The job first: its program is started before this one is asked for its version.
    const running = runInTurn(found.accounts, { ...context, prepared, kept });
    const version = environment.versions.of(prepared.interpreter);
    const ended = await running;
    const interpreterVersion = await soon(version);
    return {
      ...ended,
      kept: kept.map((stream) => stream.kept()),
      interpreter: prepared.interpreter.path,
      ...(interpreterVersion === undefined ? {} : { interpreterVersion }),
    };
  } finally {
    clearTimeout(timer);
  }
}

type Found =
  | { readonly type: "accounts"; readonly accounts: readonly Account[] }
  | { readonly type: "none"; readonly outcome: Outcome };

/** Whom the job runs as, or what ended it before that was known. */
async function accountsFor(user: JobBody["user"], { environment, stop }: RunContext): Promise<Found> {
  const { account: agent, platform, places } = environment;
  const stopped = stop.promise.then((outcome): Found => ({ type: "none", outcome }));
  const found = findAccounts(user, { agent, platform, places }).then(
    (accounts): Found => ({ type: "accounts", accounts }),
  );
  try {
    return await Promise.race([stopped, found]);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { type: "none", outcome: refusedOutcome(error) };
  }
}

type Kept = readonly [KeptOutput, KeptOutput];
type TurnContext = RunContext & { readonly prepared: PreparedJob; readonly kept: Kept };
type Ended = Pick<RunResult, "outcome" | "contained"> & { readonly unenforced: readonly PlatformLimit[] };

/**
 * One account after the other; what ends the job from outside ends the rest with it and is the outcome. Once the last has ended
 * by itself nothing from outside is: the first cause wins.
 */
async function runInTurn(accounts: readonly Account[], context: TurnContext): Promise<Ended> {
  const stopped = () => Promise.race([context.stop.promise, Promise.resolve(undefined)]);
  const ended: Ended[] = [];
  for (const [index, account] of accounts.entries()) {
    if ((await stopped()) === undefined) ended.push(await runAs(account, index, context));
  }
  const outcomes = ended.map(({ outcome }) => outcome);
  const cause = await stopped();
  const isFirst = cause !== undefined && (ended.length < accounts.length || outcomes.includes(cause));
  const own = outcomes.find((outcome) => !isSuccess(outcome)) ?? { type: "exited", code: 0 };
  const unenforced = [...new Set(ended.flatMap((one) => one.unenforced))];
  return { outcome: isFirst ? cause : own, contained: leastSure(ended.map(({ contained }) => contained)), unenforced };
}

function leastSure(contained: readonly Receipt["contained"][]): Receipt["contained"] {
  return (["no", "unknown", "left", "yes"] as const).find((one) => contained.includes(one)) ?? "yes";
}

async function runAs(account: Account, index: number, context: TurnContext): Promise<Ended> {
  const { prepared, environment } = context;
  const { body, job } = prepared.runnable;
  const name = index === 0 ? job.manifest.job : `${job.manifest.job}.${index}`;
  const texts: Source[] = [];
  let enclosure: Enclosure | undefined;
  let isStarted = false;
  const ended = (outcome: Outcome): Ended => ({
    outcome,
    contained: enclosure?.contained() ?? "yes",
    unenforced: [...(enclosure?.unenforced ?? [])],
  });
  try {
    enclosure = environment.containment.open(name, body.limits);
    const child = enclosure.spawn(startOf(prepared, { environment, account, name, texts }));
    isStarted = child.pid !== undefined;
    for (const text of texts) text.release();
    const fault = account.ids === undefined ? undefined : changeFault(child);
    const outcome = await outcomeOf(child, { fault, enclosure, context });
    return ended(seenThrough(outcome, { source: texts[0], kept: context.kept }));
  } catch (error) {
    // Where it was our own doing that failed, something of the job may run, and nobody knows how far it came.
    await enclosure?.end();
    return ended(isStarted ? { type: "lost" } : notStarted(error));
  } finally {
    enclosure?.close();
    for (const text of texts) text.remove();
  }
}

type Watching = {
  readonly fault: Causes["fault"];
  readonly enclosure: Enclosure;
  readonly context: TurnContext;
};

/** The first cause that ends the job. When this settles, nothing of it runs any more but what may be left behind. */
async function outcomeOf(child: JobProcess, { fault, enclosure, context }: Watching): Promise<Outcome> {
  const { kept, onOutput, pipes, stop, prepared } = context;
  const { body } = prepared.runnable;
  const first = firstCause(child, { stop, fault });
  const closed = collect(child, kept, (stream, bytes) => {
    onOutput(stream, bytes);
    const { endAtOutputBytes: most = Infinity } = body.limits;
    if (kept[0].size + kept[1].size > most) stop.resolve({ type: "output-limit", afterBytes: most });
  });
  pipes.of(child);
  feed(child, body.stdin);
  const outcome = await first;
  if (child.pid === undefined) return outcome;
  const isByItself = outcome.type === "exited" || outcome.type === "signalled";
  const isClosed = await hasClosed(closed, child.exitCode === null && child.signalCode === null ? 0 : PIPE_WAIT_MS);
  if (isByItself && body.leave === true) enclosure.letGo();
  else await enclosure.end();
  await letGoOfPipes(child, isClosed || enclosure.contained() === "left" ? Promise.resolve() : closed);
  return outcome;
}

type Place = {
  readonly environment: RunEnvironment;
  readonly account: Account;
  readonly name: string;
  /** Gets the private texts that the child reads; the caller releases and removes them. */
  readonly texts: Source[];
};

/** What is spawned so that the job's program runs in this account. */
function startOf(prepared: PreparedJob, { environment, account, name, texts }: Place): Launch {
  const { jobs, platform, places } = environment;
  const { runnable, interpreter } = prepared;
  const inSession = runnable.body.user.as !== "system";
  const place = (text: string, as: number) => {
    const placed = placeSource(
      { text, as, owner: account.ids, jobs, name, extension: interpreter.extension, inSession },
      platform,
    );
    texts.push(placed);
    return placed;
  };
  const { source } = runnable.body;
  const placed = source === undefined ? undefined : place(source, SOURCE_AT);
  const launch = launchOf(prepared, environment, { account, source: placed });
  if (account.ids === undefined) return launch;
  const script = place(scriptFor(launch), SCRIPT_AT);
  const change = { ids: account.ids, isLoggedOn: account.isLoggedOn, platform, places };
  return throughChanger(launch, script.descriptor, change);
}

/** Keeps and passes on what the job writes; settles when both pipes are closed. */
async function collect(child: JobProcess, [stdout, stderr]: Kept, onOutput: OnOutput): Promise<void> {
  const closed = Promise.withResolvers<void>();
  child.once("close", () => closed.resolve());
  child.once("error", () => closed.resolve());
  const listen = (stream: Stream, keep: KeptOutput) => (chunk: Buffer) => {
    keep.add(chunk);
    onOutput(stream, chunk);
  };
  child.stdout?.on("data", listen("stdout", stdout));
  child.stderr?.on("data", listen("stderr", stderr));
  return closed.promise;
}

function feed(child: JobProcess, stdin: string | undefined): void {
  if (stdin === undefined) return;
  // A job may end without reading its input: the broken pipe is not our matter.
  child.stdin?.once("error", () => undefined);
  child.stdin?.end(fromBase64url(stdin) ?? new Uint8Array(0));
}

async function hasClosed(closed: Promise<void>, withinMs: number): Promise<boolean> {
  const waiting = new AbortController();
  const late = sleep(withinMs, false, { signal: waiting.signal }).catch(() => false);
  const isClosed = await Promise.race([closed.then(() => true), late]);
  waiting.abort();
  return isClosed;
}

/** What they still hold is read, for a time; then they are let go of even if something keeps them open. */
async function letGoOfPipes(child: JobProcess, closed: Promise<void>): Promise<void> {
  await hasClosed(closed, KILL_WAIT_MS);
  child.stdout?.destroy();
  child.stderr?.destroy();
}
