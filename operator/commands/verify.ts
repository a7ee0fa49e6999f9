// `keybound verify`: what a file proves, without a network.
import { type CommonOptions, folderOf, openDesk, print, printJson, say } from "../desk.ts";
import { hasHome } from "../home/home.ts";
import { MAX_VERIFY_BYTES } from "../limits.ts";
import { Fault } from "../fault.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { readBounded } from "../home/stored-file.ts";
import { verifyBytes } from "../verify/verify-file.ts";
import type { Known } from "../verify/verify-known.ts";
import type { World } from "../world.ts";

/** Answers the exit code: 1 where it does not verify. */
export async function verify(world: World, path: string, options: CommonOptions): Promise<number> {
  const bytes = readBounded(path, MAX_VERIFY_BYTES);
  try {
    const verified = withKnown(world, options, (known) => verifyBytes(bytes, { known, now: world.now() }));
    if (options.json === true) printJson(world, { verified: true, ...verified });
    else {
      print(world, `verified: ${verified.kind} ${verified.id}`);
      for (const line of verified.says) print(world, `  ${line}`);
      for (const line of verified.unchecked) print(world, `  not checked: ${line}`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof Fault)) throw error;
    if (options.json === true) printJson(world, { verified: false, code: error.code, detail: error.detail });
    else say(world, `${path} does not verify`);
    throw error;
  }
}

function withKnown<T>(world: World, options: CommonOptions, use: (known: Known | undefined) => T): T {
  if (!hasHome(folderOf(world, options))) return use(undefined);
  using desk = openDesk(world, options);
  const state = desk.cache.keyState();
  if (state === undefined) return use(undefined);
  const { cache } = desk;
  const receiptId = (device: string, seq: number) => cache.receiptId(device, seq);
  return use({ keyLog: cache.keyView(state), roster: cache.roster(state.tenant), receiptId });
}
