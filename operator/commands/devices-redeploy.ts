// `keybound devices --redeploy`: after a reset, which devices have come over, which have not, and why.
import { openSession } from "../connection/session.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { redeployNotes, redeployTable } from "../present/redeploy-words.ts";
import { redeployOf } from "../tenant/redeploy.ts";
import type { World } from "../world.ts";

export async function redeployedDevices(world: World, options: CommonOptions): Promise<void> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const found = await redeployOf(session);
  if (options.json === true) return printJson(world, found);
  if (session.state.supersedes.length === 0) return say(world, "this organisation takes nobody's place");
  if (found.total > 0) print(world, await redeployTable(found, session.now));
  for (const note of redeployNotes(found)) print(world, note);
}
