// `keybound package`: a deployment package for devices that shall belong to this organisation, and the token in it.
import { resolve } from "node:path";
import { pinOf } from "../../protocol/pin.ts";
import { signPackage } from "../deployment/sign-deployment.ts";
import { type TermOptions, termsOf, widening } from "../deployment/terms.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { requireFree, writeWhole } from "../home/stored-file.ts";
import { openUnlocked, sendCheckpoint } from "../unlock/unlock.ts";
import type { World } from "../world.ts";

export type PackageOptions = CommonOptions &
  TermOptions & {
    readonly out: string;
    readonly force?: boolean;
  };

export async function makePackage(world: World, options: PackageOptions): Promise<void> {
  using desk = openDesk(world, options);
  const terms = termsOf(options, { now: world.now(), relay: desk.home.config.relay });
  const path = resolve(options.out);
  requireFree(path, options.force === true);
  say(world, widening(terms));
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  const bytes = await signPackage(unlocked, terms);
  writeWhole(path, bytes, { replace: options.force === true });
  await sendCheckpoint(unlocked);
  const pin = pinOf(session.state.tenant);
  const bind = `keybound-agent bind ${shown(options.out)} --trust ${pin}`;
  if (options.json === true) {
    const { mode, uses, notAfter, tokenNotAfter } = terms;
    return printJson(world, { file: path, pin, bind, mode, uses, notAfter, tokenNotAfter });
  }
  print(world, `wrote  ${options.out}`);
  print(world, `pin    ${pin}\n`);
  print(world, `On each device, as its administrator:\n\n    ${bind}\n`);
  print(world, "Whoever has the file can join as a device: carry it past the relay, and keep it to those who install.");
}

function shown(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
