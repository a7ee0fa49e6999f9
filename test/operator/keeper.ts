// A key holder for tests, without a relay: its folders, seeds that the test knows, and what the machine says of its process.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { keysOfSeeds, type OperatorSeeds } from "../../protocol/passphrase.ts";
import { endHolder, findHolder, type Held } from "../../operator/holder/held-keys.ts";
import { type HolderPlace, holderPlace, type HolderWorld } from "../../operator/holder/place.ts";
import { startHolder } from "../../operator/holder/start.ts";
import { HOUR } from "../cast/clock.ts";
import { seeded } from "../cast/random.ts";
import { MAIN } from "./house.ts";

const PATIENCE_MS = 20_000;
const POLL_MS = 50;

/** Seeds of their own for each name. */
export function seedsOf(name: string): OperatorSeeds {
  const random = seeded(`holder ${name}`);
  return { signing: random(32), sealing: random(32) };
}

export function keyOf(seeds: OperatorSeeds): string {
  return keysOfSeeds(seeds).signer.key;
}

export class Keeper implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "keybound-holder-"));
  readonly home = { folder: join(this.folder, "home") };
  readonly runtime = join(this.folder, "run");
  readonly world: HolderWorld = {
    env: { XDG_RUNTIME_DIR: this.runtime },
    platform: process.platform,
    itself: [process.execPath, "--disable-sigusr1", MAIN],
  };

  constructor() {
    // Others shall reach what is in it, but for the modes that the holder gives.
    chmodSync(this.folder, 0o755);
    mkdirSync(this.home.folder, { mode: 0o700 });
    mkdirSync(this.runtime, { mode: 0o755 });
    writeFileSync(join(this.home.folder, "config.json"), "{}\n");
  }

  get place(): HolderPlace {
    return holderPlace(this.home.folder, this.world);
  }

  start(seeds: OperatorSeeds, lifetimeMs = HOUR): Promise<void> {
    return startHolder(this.home, this.world, { seeds, lifetimeMs });
  }

  find(): Promise<Held | undefined> {
    return findHolder(this.home, this.world);
  }

  /** Sends these bytes as they are and answers all that comes back until the other end hangs up. */
  say(bytes: string | Uint8Array): Promise<string> {
    const socket = createConnection(this.place.address).setEncoding("utf8");
    let said = "";
    socket.on("data", (text: string) => (said += text)).write(bytes);
    return new Promise((resolve) => {
      socket.on("error", () => resolve(said)).on("close", () => resolve(said));
    });
  }

  /** Waits until no holder answers here. */
  async gone(): Promise<void> {
    await until(async () => (await this.find()) === undefined, "the holder is still there");
  }

  /** How many sockets listen at the address. */
  listeners(): number {
    return listening(this.place.address).length;
  }

  /** The process that listens at the socket; Linux's /proc tells. */
  pid(): number {
    const [inode] = listening(this.place.address);
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    const pid = pids.find((name) => filesOf(name).includes(`socket:[${inode}]`));
    if (pid === undefined) throw new Error("nobody listens");
    return Number(pid);
  }

  /** The TCP ports, in hexadecimal, at which that process listens. */
  ports(): readonly string[] {
    const own = filesOf(String(this.pid()));
    const rows = tableOf("/proc/net/tcp").filter(([, , , state]) => state === "0A");
    return rows.flatMap(([, at = "", , , , , , , , inode]) => (own.includes(`socket:[${inode}]`) ? [at] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endHolder(this.home, this.world);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function until(isSo: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    if (await isSo()) return;
    await sleep(POLL_MS);
  }
  throw new Error(otherwise);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** proc_net_unix: flags, where 00010000 listens, are column 4, the inode column 7, and the path the last. */
function listening(path: string): readonly string[] {
  return tableOf("/proc/net/unix").flatMap(([, , , flags, , , inode, at]) =>
    flags === "00010000" && at === path && inode ? [inode] : [],
  );
}

function tableOf(path: string): readonly (readonly string[])[] {
  const rows = readFileSync(path, "utf8").split("\n");
  return rows.map((row) => row.trim().split(/\s+/));
}

function filesOf(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch {
    // A process that has just ended.
    return [];
  }
}
