// `keybound tenant close`: the last entry of a key log. Devices that hear of it take no more jobs, and bind to another owner only.
import * as v from "valibot";
import { Reason } from "../../protocol/fields.ts";
import { askLine } from "../ask.ts";
import { cosignCommand } from "../cosign/proposals.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { appendKeyEvent } from "../keys/append-key.ts";
import { keyDeskOf } from "../keys/key-act.ts";
import { openUnlocked } from "../unlock/unlock.ts";
import { isAtTerminal, type World } from "../world.ts";

export type CloseOptions = CommonOptions & { readonly reason: string; readonly confirm?: string };

export async function closeTenant(world: World, options: CloseOptions): Promise<void> {
  const { reason } = options;
  if (!v.is(Reason, reason)) throw new Fault("misuse", "--reason: 1 to 256 printable characters");
  using desk = openDesk(world, options);
  const { organisation } = desk.home.config;
  say(world, `${organisation} ends for good: no key event follows, no device takes a job, and there is no way back.`);
  say(world, "Devices keep this owner until a package of another one is run on them.");
  await confirmName(world, options, organisation);
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  const appended = await appendKeyEvent(keyDeskOf(session), () => ({
    change: { type: "tenant.close", reason },
    signers: [unlocked.keys],
  }));
  const isClosed = appended.type === "appended";
  if (options.json === true) return printJson(world, isClosed ? { closed: true } : { proposal: appended.proposal });
  if (isClosed) print(world, `${organisation} is closed`);
  else say(world, `signed; another admin runs: ${cosignCommand(appended.proposal.slice(0, 10))}`);
}

/** What cannot be undone is confirmed by the whole name. Throws `yes-needed` or `not-confirmed`. */
export async function confirmName(
  world: World,
  { confirm }: Pick<CloseOptions, "confirm">,
  name: string,
): Promise<void> {
  if (confirm === undefined && !isAtTerminal(world)) throw new Fault("yes-needed", `--confirm '${name}'`);
  const typed = confirm ?? (await askLine(world, "Type the organisation's name in full to go on:"));
  if (typed.trim() !== name) throw new Fault("not-confirmed", "this is not its name");
}
