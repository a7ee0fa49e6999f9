// `keybound status`: the organisation at a glance, and what asks for action.
import { openSession } from "../connection/session.ts";
import { type CommonOptions, openDesk, print, printJson } from "../desk.ts";
import { statusText } from "../present/status-words.ts";
import { statusWarnings } from "../tenant/status-warnings.ts";
import { tenantStatus } from "../tenant/tenant-status.ts";
import type { World } from "../world.ts";

export type StatusOptions = CommonOptions & { readonly all?: boolean };

/** Answers the exit code: 1 where something shows that somebody lies. */
export async function status(world: World, options: StatusOptions): Promise<number> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const found = await tenantStatus(session);
  const reader = { own: desk.home.config.operator, now: session.now };
  const warnings = statusWarnings(found, reader);
  const all = options.all === true;
  if (options.json === true) printJson(world, { ...found, warnings });
  else print(world, await statusText({ status: found, warnings, ...reader, all }));
  return warnings.some(({ evidence }) => evidence) ? 1 : 0;
}
