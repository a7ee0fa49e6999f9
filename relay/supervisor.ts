// What systemd hears of the relay (sd_notify(3)): that it serves, that its event loop turns, that it stops. Whoever did not start the
// relay by systemd hears nothing.

export type Supervisor = Disposable & { readonly ready: () => void; readonly stopping: () => void };

/** Beats in the time that systemd waits for one. */
const BEATS_IN_PATIENCE = 6;

// sys/socket.h of Linux, the same on x86-64 and arm64.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_NOSIGNAL_DONTWAIT = 0x4000 | 0x40;

/** Says that the relay is alive from now until disposed of, where `env` names a socket and a watchdog. */
export function openSupervisor({ NOTIFY_SOCKET, WATCHDOG_USEC }: NodeJS.ProcessEnv): Supervisor {
  // Not `vsock:` and the like, by which a whole machine speaks to its host.
  const send = /^[/@]./.test(NOTIFY_SOCKET ?? "") ? openDatagrams(NOTIFY_SOCKET ?? "") : () => undefined;
  const watchdogUs = Number(WATCHDOG_USEC);
  const beatMs = watchdogUs / 1000 / BEATS_IN_PATIENCE;
  const heartbeat = watchdogUs > 0 ? setInterval(() => send("WATCHDOG=1"), beatMs).unref() : undefined;
  return {
    ready: () => send("READY=1"),
    stopping: () => send("STOPPING=1"),
    [Symbol.dispose]: () => clearInterval(heartbeat),
  };
}

/** None of them waits. Node has no sockets of this kind but through `node:ffi`; without that, nothing is sent. */
function openDatagrams(address: string): (message: string) => void {
  const system = process.platform === "linux" ? systemCalls() : undefined;
  const socket = system?.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0) ?? -1;
  if (system === undefined || socket < 0) return () => undefined;
  // unix(7): a path ends with a zero, an abstract name begins with one and ends with the address.
  const name = address.startsWith("@") ? `\0${address.slice(1)}` : `${address}\0`;
  const to = Buffer.concat([Buffer.from(new Uint16Array([AF_UNIX]).buffer), Buffer.from(name)]);
  return (message) => {
    const bytes = Buffer.from(message);
    system.sendto(socket, bytes, BigInt(bytes.length), MSG_NOSIGNAL_DONTWAIT, to, to.length);
  };
}

// Asked for at run time: loading `node:ffi` says on stderr that it is experimental.
function systemCalls() {
  try {
    return process.getBuiltinModule("node:ffi").dlopen(null, {
      socket: { arguments: ["i32", "i32", "i32"], return: "i32" },
      sendto: { arguments: ["i32", "pointer", "u64", "i32", "pointer", "u32"], return: "i64" },
    }).functions;
  } catch {
    // No such module, or no such function.
    return undefined;
  }
}
