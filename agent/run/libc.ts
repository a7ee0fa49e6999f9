// The few calls of Linux that Node does not make itself, through `node:ffi`. The only file that calls into the system's library.
import { closeSync } from "node:fs";

// asm/unistd.h of x86-64 and arm64, which agree on these; sys/prctl.h; sys/wait.h.
const PIDFD_SEND_SIGNAL = 424n;
const PIDFD_OPEN = 434n;
const SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;

export type Libc = {
  /** From now on, processes that lose their parent below this process become its children. Whether the kernel took it. */
  readonly becomeSubreaper: () => boolean;
  /** Does something with a handle that stays with the process which has this pid now; `undefined` where there is none. */
  readonly withProcess: <T>(pid: number, use: (handle: number) => T) => T | undefined;
  /** Whether the signal was sent to the process of this handle. */
  readonly signal: (handle: number, signal: number) => boolean;
  /** Asks for the remains of a child that has ended. To be used for children alone that Node did not spawn. */
  readonly reap: (pid: number) => void;
};

/** `undefined` where this Node has no `node:ffi`, or this kernel no handles of processes (before Linux 5.3). */
export function openLibc(): Libc | undefined {
  const functions = process.platform === "linux" ? libraryFunctions() : undefined;
  if (functions === undefined) return undefined;
  const { prctl, syscall, waitpid } = functions;
  const withProcess: Libc["withProcess"] = (pid, use) => {
    const handle = Number(syscall(PIDFD_OPEN, BigInt(pid), 0n, 0n, 0n));
    if (handle < 0) return undefined;
    try {
      return use(handle);
    } finally {
      closeSync(handle);
    }
  };
  if (withProcess(process.pid, () => true) === undefined) return undefined;
  return {
    becomeSubreaper: () => prctl(SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n) === 0,
    withProcess,
    signal: (handle, signal) => syscall(PIDFD_SEND_SIGNAL, BigInt(handle), BigInt(signal), 0n, 0n) === 0n,
    reap: (pid) => void waitpid(pid, 0n, WNOHANG),
  };
}

// sys/socket.h of Linux, the same on x86-64 and arm64.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_NOSIGNAL_DONTWAIT = 0x4000 | 0x40;

export type SendDatagram = (message: Uint8Array) => boolean;

/**
 * Sends datagrams to a unix socket by its path, or its abstract name after an `@`. Each answers whether the system took it; none
 * waits. `undefined` where this Node has no `node:ffi`, or the system has no socket left.
 */
export function openDatagrams(address: string): SendDatagram | undefined {
  const functions = process.platform === "linux" ? socketFunctions() : undefined;
  const socket = functions?.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0) ?? -1;
  if (functions === undefined || socket < 0) return undefined;
  const to = socketAddress(address);
  return (message) =>
    functions.sendto(socket, message, BigInt(message.length), MSG_NOSIGNAL_DONTWAIT, to, to.length) ===
    BigInt(message.length);
}

/** unix(7): a path ends with a zero, an abstract name begins with one and ends with the address. */
function socketAddress(address: string): Uint8Array {
  const path = address.startsWith("@") ? `\0${address.slice(1)}` : `${address}\0`;
  return Buffer.concat([Buffer.from(new Uint16Array([AF_UNIX]).buffer), Buffer.from(path)]);
}

function socketFunctions() {
  try {
    return process.getBuiltinModule("node:ffi").dlopen(null, {
      socket: { arguments: ["i32", "i32", "i32"], return: "i32" },
      sendto: { arguments: ["i32", "pointer", "u64", "i32", "pointer", "u32"], return: "i64" },
    }).functions;
  } catch {
    // As below.
    return undefined;
  }
}

// Asked for at run time: loading `node:ffi` says on stderr that it is experimental, which no other command shall.
function libraryFunctions() {
  try {
    return process.getBuiltinModule("node:ffi").dlopen(null, {
      prctl: { arguments: ["i32", "u64", "u64", "u64", "u64"], return: "i32" },
      syscall: { arguments: ["i64", "i64", "i64", "i64", "i64"], return: "i64" },
      waitpid: { arguments: ["i32", "pointer", "i32"], return: "i32" },
    }).functions;
  } catch {
    // No such module, or no such function: whoever asked does without, and says so.
    return undefined;
  }
}
