// What a person sees of a job that has no output, a cancel or an update: at the end, how it ended where.
import { print, say } from "../desk.ts";
import type { World } from "../world.ts";
import { groupResults } from "./group.ts";
import { answered, type RunView, silentView } from "./run-view.ts";

export function endingView(world: World, { json }: { readonly json?: boolean }): RunView {
  if (json === true) return silentView();
  return {
    ...silentView(),
    finish: (ended) => {
      for (const { names, count, words, hint } of groupResults(answered(ended))) {
        print(world, `${names} (${count}): ${words}`);
        if (hint !== undefined) say(world, `hint: ${hint}`);
      }
    },
  };
}
