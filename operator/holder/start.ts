// Starting a key holder: a process of its own that outlives this one, told the seeds over a pipe.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "../../protocol/bytes.ts";
import { keysOfSeeds, type OperatorSeeds } from "../../protocol/passphrase.ts";
import { Fault } from "../fault.ts";
import type { Home } from "../home/home.ts";
import { HOLDER_START_MS } from "../limits.ts";
import { endHolder, findHolder } from "./held-keys.ts";
import { UP } from "./hold.ts";
import { readLine } from "./line.ts";
import { loginSession } from "./login-session.ts";
import { holderPlace, type HolderWorld, makeHolderFolder } from "./place.ts";
import { type StartTerms, writeStart } from "./start-message.ts";

/**
 * Has a holder keep these keys, in the place of one that is up. Returns when it can be asked. Throws `holder-failed` or
 * `holder-unsafe`; what was up before is gone then.
 */
export async function startHolder(
  home: Pick<Home, "folder">,
  world: HolderWorld,
  { seeds, lifetimeMs }: { readonly seeds: OperatorSeeds; readonly lifetimeMs: number },
): Promise<void> {
  const place = holderPlace(home.folder, world);
  makeHolderFolder(place);
  await endHolder(home, world);
  const session = loginSession({ platform: world.platform, id: world.env["XDG_SESSION_ID"] });
  const terms: StartTerms = {
    home: join(home.folder, "config.json"),
    ...place,
    lifetimeMs,
    ...(session === undefined ? {} : { session }),
  };
  const isUp = await tell(spawnHolder(world), writeStart({ terms, seeds }));
  // Where two commands start one at the same time, either's will do.
  const own = keysOfSeeds(seeds).signer.key;
  if (!isUp && (await findHolder(home, world))?.keys.key !== own) throw new Fault("holder-failed", place.address);
}

/** Nothing of our environment, arguments or terminal goes with it. No signal opens a debugger in it. */
function spawnHolder({ itself, env }: HolderWorld): ChildProcess {
  if (itself === undefined) throw new Fault("holder-failed", "only the program itself starts one");
  const [file, ...args] = itself;
  const { SystemRoot } = env;
  return spawn(file, [...args, "hold"], {
    detached: true,
    windowsHide: true,
    cwd: "/",
    env: SystemRoot === undefined ? {} : { SystemRoot },
    stdio: ["pipe", "pipe", "ignore"],
  });
}

/** Hands over the start and waits for the word that it is up; false where it ends without. */
async function tell(child: ChildProcess, start: Uint8Array): Promise<boolean> {
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("internal error: a child without its pipes");
  child.on("error", () => stdout.destroy());
  stdin.on("error", () => undefined).end(start, () => start.fill(0));
  const line = await readLine(stdout, HOLDER_START_MS);
  stdout.destroy();
  child.unref();
  return line !== undefined && text(line) === UP.trim();
}
