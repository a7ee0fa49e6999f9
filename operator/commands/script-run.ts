// `keybound script run`: a script of the library as a job, its parameters as data beside it.
import { requireTargets } from "../devices/choose-targets.ts";
import { say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { checkedScriptName, type LibraryOptions, openLibrary } from "../library/library.ts";
import { limitsOf, programOf, titleOf } from "../library/prepare.ts";
import { chooseValues, type ValueOptions } from "../library/values.ts";
import { fitFor } from "../jobs/script-text.ts";
import { fittingDevices, othersWords, requireFitting } from "../devices/script-platforms.ts";
import type { World } from "../world.ts";
import { type NarrowTargets, type RunOptions, runProgram } from "./run.ts";

export type ScriptRunOptions = RunOptions & LibraryOptions & ValueOptions & { readonly fitting?: boolean };

/** Every value is checked, and what is missing asked for, before the passphrase. Answers the exit code of `run`. */
export async function runScript(world: World, name: string, options: ScriptRunOptions): Promise<number> {
  requireTargets(options);
  const script = openLibrary(world, options).get(checkedScriptName(name));
  const { header } = script;
  const values = await chooseValues(world, header, options);
  const { source, notes } = fitFor(header.shell, script.source);
  for (const note of notes) say(world, `${name}: ${note}`);
  const program = programOf({ ...script, source }, values);
  const narrow: NarrowTargets = async (session, targets) => {
    const fitting = await fittingDevices(session, targets, header);
    if (options.fitting !== true) requireFitting(fitting, header);
    if (fitting.others.length > 0) say(world, `left out: ${othersWords(fitting.others)}`);
    if (fitting.fits.length === 0)
      throw new Fault("no-targets", `${name} is for ${header.platforms.join(", ")}`, {
        hint: "name devices of these platforms",
      });
    return fitting.fits;
  };
  return await runProgram(world, { program, narrow }, limitsOf(header, { label: titleOf(header, values), ...options }));
}
