// `--exit-code`: the program ends as the job did on its one device, so that a script can go by it as it would by ssh's.
import { report } from "../report.ts";
import type { World } from "../world.ts";
import type { DeviceResult } from "./watch-jobs.ts";

/** There is no exit code of the job, or none that this program could end with; ssh has the same. */
export const NO_EXIT_CODE = 255;

/** The job's own code, where its device proves one; a larger one, as Windows has them, would be cut to a byte and perhaps to 0. */
export function exitCodeOf(result: DeviceResult | undefined): number {
  if (result?.type !== "answered" || result.receipt.outcome.type !== "exited") return NO_EXIT_CODE;
  return Math.min(result.receipt.outcome.code, NO_EXIT_CODE);
}

/** What fails before there is a result is said as ever, and is no exit code of the job's either. */
export async function passingExitCode(world: World, run: () => Promise<number>): Promise<number> {
  try {
    return await run();
  } catch (error) {
    report(world, error);
    return NO_EXIT_CODE;
  }
}
