// What systemd hears of this service (sd_notify(3)): that it serves, how it stands in a line, that it is alive, that it stops.
// Whoever did not start the agent by systemd hears nothing, and nothing is different for it.
import { ASK_TIME_MS, SERVICE_WORDS_CHARS } from "../limits.ts";
import { askProgram, findProgram } from "../run/ask-program.ts";
import { openDatagrams } from "../run/libc.ts";

export type Supervisor = Disposable & {
  /** Whether somebody listens, and starts the agent again when it ends. */
  readonly isThere: boolean;
  /** The agent serves, or waits to be bound. Safe to call again. */
  readonly ready: () => void;
  /** How the agent stands, in plain words. Anybody on this machine can read it. */
  readonly says: (words: string) => void;
  readonly stopping: () => void;
};

export const UNSUPERVISED: Supervisor = {
  isThere: false,
  ready: () => undefined,
  says: () => undefined,
  stopping: () => undefined,
  [Symbol.dispose]: () => undefined,
};

/** What systemd put into the environment of the process that it watches. */
export type SupervisorAddress = { readonly socket: string; readonly watchdogUs: number | undefined };

type Environment = Record<string, string | undefined>;

/**
 * Takes the address out of the environment, so that nothing that the agent starts can speak in its name. `undefined` where nobody
 * listens. A watchdog of another process is none of ours.
 */
export function takeSupervisorAddress(env: Environment, pid: number): SupervisorAddress | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  // Not `vsock:` and the like, by which a whole machine speaks to its host.
  if (socket === undefined || !/^[/@]./.test(socket)) return undefined;
  const watchdogUs = Number(usec);
  const isWatched = Number.isSafeInteger(watchdogUs) && watchdogUs > 0 && (watched ?? `${pid}`) === `${pid}`;
  return { socket, watchdogUs: isWatched ? watchdogUs : undefined };
}

/** Says that the agent is alive as long as the event loop turns, from now until disposed of. */
export function openSupervisor(address: SupervisorAddress | undefined): Supervisor {
  if (address === undefined) return UNSUPERVISED;
  const send = openDatagrams(address.socket) ?? sentBySystemdNotify(address.socket);
  const say = (line: string) => {
    send(Buffer.from(line));
  };
  const heartbeat = address.watchdogUs === undefined ? undefined : beat(address.watchdogUs, say);
  let isReady = false;
  return {
    isThere: true,
    ready: () => {
      if (!isReady) say("READY=1");
      isReady = true;
    },
    says: (words) => say(`STATUS=${oneLine(words)}`),
    stopping: () => say("STOPPING=1"),
    [Symbol.dispose]: () => clearInterval(heartbeat),
  };
}

/** Six times in its patience: work that blocks for most of it (a key log of full length) still leaves room. */
const BEATS_IN_PATIENCE = 6;

function beat(watchdogUs: number, say: (line: string) => void): NodeJS.Timeout {
  say("WATCHDOG=1");
  return setInterval(() => say("WATCHDOG=1"), watchdogUs / 1000 / BEATS_IN_PATIENCE).unref();
}

/** Words may hold what a relay said: nothing in them may begin a line, which would be another order to systemd. */
function oneLine(words: string): string {
  return words.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, SERVICE_WORDS_CHARS);
}

/** Without `node:ffi`: systemd's own program, which as root speaks for the process that started it. One after the other, in their order. */
export function sentBySystemdNotify(socket: string): (message: Uint8Array) => unknown {
  const path = findProgram("systemd-notify", ["/usr/bin", "/bin"]);
  if (path === undefined) return () => undefined;
  const send = (message: string) =>
    askProgram({ path, args: [message], until: AbortSignal.timeout(ASK_TIME_MS), env: { NOTIFY_SOCKET: socket } });
  let before: Promise<unknown> = Promise.resolve();
  return (message) => {
    const words = new TextDecoder().decode(message);
    before = before.then(() => send(words));
  };
}
