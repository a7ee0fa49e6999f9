// `keybound lock`: ends the key holder of this home, if one is up.
import { type CommonOptions, folderOf, print, printJson } from "../desk.ts";
import { Fault } from "../fault.ts";
import { hasHome } from "../home/home.ts";
import { endHolder } from "../holder/held-keys.ts";
import type { World } from "../world.ts";

export async function lock(world: World, options: CommonOptions): Promise<void> {
  const folder = folderOf(world, options);
  if (!hasHome(folder)) throw new Fault("home-missing", folder);
  const wasUnlocked = await endHolder({ folder }, world);
  if (options.json === true) return printJson(world, { locked: true, wasUnlocked });
  print(world, wasUnlocked ? "locked" : "it was not unlocked");
}
