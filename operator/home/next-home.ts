// The home of an organisation's next epoch is made beside the one that there is, and takes its place when the relay has the new
// tenant. Whatever ends the command in between, running it again goes on from there.
import { existsSync, renameSync } from "node:fs";
import { Fault, writeFault } from "../fault.ts";
import { hasHome, nextHome, openHome, removeHome } from "./home.ts";
import { findTenant } from "../connection/newcomer.ts";
import { pinOf } from "../../protocol/pin.ts";
import { syncParent } from "./stored-file.ts";
import type { World } from "../world.ts";

/**
 * What an attempt before this one left: `true` where the relay has its tenant, so that only the folders have to be changed. Else it is
 * removed. Throws `relay-unreachable` where nobody can say.
 */
export async function hasUnfinished(folder: string, world: World): Promise<boolean> {
  const next = nextHome(folder);
  if (!hasHome(next)) return false;
  const { relay, tenant } = openHome(next, world.platform).config;
  try {
    await findTenant(world, relay, pinOf(tenant));
    return true;
  } catch (error) {
    if (!(error instanceof Fault && error.code === "pin-unknown")) throw error;
    removeHome(next);
    return false;
  }
}

/** Puts the next home in the place of the present one. Answers where that is kept; `undefined` where there was none. */
export function takeNextHome(folder: string, epoch: number): string | undefined {
  const kept = hasHome(folder) ? freeName(`${folder.replace(/\/+$/, "")}.epoch-${epoch}`) : undefined;
  try {
    if (kept !== undefined) renameSync(folder, kept);
    renameSync(nextHome(folder), folder);
    syncParent(folder);
    return kept;
  } catch (error) {
    throw writeFault(error, folder);
  }
}

function freeName(path: string): string {
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? path : `${path}-${n}`;
    if (!existsSync(candidate)) return candidate;
  }
}
