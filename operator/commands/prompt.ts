// `keybound prompt`: how often this home asks for the passphrase, within what the organisation's policy allows.
import { type CommonOptions, type Desk, openDesk, print, printJson } from "../desk.ts";
import { Fault } from "../fault.ts";
import { writeConfig } from "../home/home.ts";
import { endHolder, findHolder, type Held, shortenHolder } from "../holder/held-keys.ts";
import { date } from "../present/time.ts";
import { type PromptChoice, stricter, unlockedMs } from "../unlock/prompt-choice.ts";
import { openSession } from "../connection/session.ts";
import type { World } from "../world.ts";
import { requireAllowed } from "./unlock.ts";

const CHOICES = ["task", "day", "week"] as const;
const WORDS: Readonly<Record<PromptChoice, string>> = {
  task: "at each task",
  day: "once in 24 hours",
  week: "once in 168 hours",
};

export async function prompt(world: World, typed: string | undefined, options: CommonOptions): Promise<void> {
  const choice = typed === undefined ? undefined : checkedChoice(typed);
  using desk = openDesk(world, options);
  if (choice !== undefined) await choose(desk, choice);
  await show(desk, choice ?? desk.home.config.prompt ?? "task");
}

function checkedChoice(typed: string): PromptChoice {
  const choice = CHOICES.find((one) => one === typed);
  if (choice === undefined) throw new Fault("misuse", `${typed}: task, day or week`);
  return choice;
}

/** Less asking is held against the policy as it is now; more is good without a relay, and ends what is unlocked too long. */
async function choose(desk: Desk, choice: PromptChoice): Promise<void> {
  const { home, world } = desk;
  if (choice !== "task") {
    using session = await openSession(desk);
    requireAllowed(choice, session.state);
  }
  writeConfig(home.folder, { ...home.config, prompt: choice });
  if (choice === "task") await endHolder(home, world);
  else await shortenHolder(home, world, unlockedMs(choice));
}

async function show({ home, world, cache, options }: Desk, chosen: PromptChoice): Promise<void> {
  const policy = cache.keyState()?.policy.prompt ?? "task";
  const asked = stricter(chosen, policy);
  const held = await findHolder(home, world);
  const until = held && untilOf(held, world);
  if (options.json === true)
    return printJson(world, { prompt: chosen, policy, asked, ...(until === undefined ? {} : { until }) });
  print(world, `asked     ${WORDS[asked]}`);
  print(world, `chosen    ${chosen}${asked === chosen ? "" : ", which the policy does not allow"}`);
  print(world, `policy    ${policy}`);
  print(world, `unlocked  ${until === undefined ? "no" : `until ${date(until)}`}`);
}

function untilOf({ leftMs }: Held, { now }: World): number {
  return now() + leftMs;
}
