// Where the key holder of a home listens: a socket in a folder of this user alone; on Windows a named pipe.
import { chmodSync, lstatSync, mkdirSync, realpathSync, type Stats } from "node:fs";
import { isAbsolute, join } from "node:path";
import { utf8 } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { Fault, systemCode, writeFault } from "../fault.ts";
import { MAX_SOCKET_PATH_BYTES } from "../limits.ts";
import type { World } from "../world.ts";

export type HolderPlace = {
  /** What is listened at and connected to. */
  readonly address: string;
  /** Nobody but its user can reach what is in it. */
  readonly folder: string;
  /** A database whose lock one holder has at a time. */
  readonly lock: string;
};

/** What finding and starting a holder needs of the world. */
export type HolderWorld = Pick<World, "env" | "platform" | "itself">;

/** The place that belongs to this home. The name in it is made from the home's path, so that two homes do not meet. */
export function holderPlace(home: string, { env, platform }: HolderWorld): HolderPlace {
  const name = digest(utf8(realpathSync(home))).slice(0, 16);
  return platform === "win32" ? pipePlace(home, name) : socketPlace(home, { name, runtime: env["XDG_RUNTIME_DIR"] });
}

function socketPlace(home: string, { name, runtime }: { name: string; runtime: string | undefined }): HolderPlace {
  const isThere = runtime !== undefined && isAbsolute(runtime) && statOf(runtime)?.isDirectory() === true;
  const folder = isThere ? join(runtime, "keybound") : realpathSync(home);
  return { address: join(folder, `${name}.sock`), folder, lock: join(folder, `${name}.lock`) };
}

/** Untested. The pipe is as open as Windows makes one; the client verifies each signature that comes out of it. */
function pipePlace(home: string, name: string): HolderPlace {
  return { address: `\\\\.\\pipe\\keybound-${name}`, folder: home, lock: join(home, `${name}.lock`) };
}

/** Makes the folder where it is missing. Throws `holder-unsafe` where it is not this user's alone. */
export function makeHolderFolder({ folder, address }: HolderPlace): void {
  const size = utf8(address).length;
  if (size > MAX_SOCKET_PATH_BYTES)
    throw new Fault("holder-failed", `${address} has ${size} bytes, at most ${MAX_SOCKET_PATH_BYTES}`);
  if (statOf(folder) === undefined) make(folder);
  if (!isOurs(folder)) throw new Fault("holder-unsafe", folder);
}

function make(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
    chmodSync(folder, 0o700);
  } catch (error) {
    // Another command may have been quicker; whose it is, is judged next.
    if (systemCode(error) !== "EEXIST") throw writeFault(error, folder);
  }
}

/** Whether this is a folder, not a link to one, that belongs to this user and that nobody else can enter. */
export function isOurs(folder: string): boolean {
  const stat = statOf(folder);
  if (stat === undefined || !stat.isDirectory()) return false;
  const uid = process.getuid?.();
  // Windows has neither owner nor mode to look at.
  return uid === undefined || (stat.uid === uid && (stat.mode & 0o077) === 0);
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  }
}
