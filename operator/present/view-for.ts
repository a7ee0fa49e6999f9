// Which view of running jobs: as JSON is asked for, one device or many, on a terminal or into a pipe.
import type { Target } from "../results/watch-jobs.ts";
import type { World } from "../world.ts";
import { linesView, type RunView, silentView, singleView } from "./run-view.ts";

export async function viewFor(
  world: World,
  { json }: { readonly json?: boolean },
  targets: readonly Target[],
): Promise<RunView> {
  if (json === true) return silentView();
  if (targets.length === 1) return singleView(world);
  if (world.stdout.isTTY !== true || world.stderr.isTTY !== true) return linesView(world);
  const { liveView } = await import("./live-view.ts");
  return liveView(world, targets);
}
