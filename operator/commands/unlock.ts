// `keybound unlock`: the passphrase is typed now, so that the commands of the next day or week do not ask for it.
import type { KeyLogState } from "../../protocol/key-state.ts";
import { type CommonOptions, type Desk, openDesk, print, printJson } from "../desk.ts";
import { Fault } from "../fault.ts";
import { startHolder } from "../holder/start.ts";
import { keyringOf } from "../unlock/keyring.ts";
import { date } from "../present/time.ts";
import { type PromptChoice, unlockedMs } from "../unlock/prompt-choice.ts";
import { sendCheckpoint } from "../unlock/unlock.ts";
import { openTyped } from "../unlock/unlock-typed.ts";
import type { World } from "../world.ts";

export type UnlockCommandOptions = CommonOptions & { readonly for?: "day" | "week" };

export async function unlock(world: World, options: UnlockCommandOptions): Promise<void> {
  using desk = openDesk(world, options);
  const time = options.for ?? defaultTime(desk);
  // Said before a passphrase is typed for nothing; the log may have changed, and is asked again.
  const known = desk.cache.keyState();
  if (known !== undefined) requireAllowed(time, known);
  const { session, keys } = await openTyped(desk);
  using opened = session;
  requireAllowed(time, opened.state);
  // Colleagues' jobs may hang on somebody else's word (SPEC 4.5), and they are told to have this command run.
  await sendCheckpoint({ session: opened, keys: keyringOf(keys) });
  const lifetimeMs = unlockedMs(time);
  await startHolder(desk.home, world, { seeds: keys.seeds, lifetimeMs });
  const until = world.now() + lifetimeMs;
  if (options.json === true) return printJson(world, { for: time, until });
  print(world, `unlocked until ${date(until)}, or keybound lock`);
}

function defaultTime({ home }: Desk): "day" | "week" {
  const { prompt } = home.config;
  return prompt === "week" ? "week" : "day";
}

/** Throws `prompt-policy`. */
export function requireAllowed(choice: PromptChoice, { policy }: KeyLogState): void {
  if (unlockedMs(choice) <= unlockedMs(policy.prompt)) return;
  throw new Fault("prompt-policy", `${choice}, the policy says ${policy.prompt}`);
}
