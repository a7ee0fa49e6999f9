// The state as somebody who looks at it sees it: beside a running daemon, without a lock, and whether or not it may be read.
import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { State } from "./state.ts";

/** `odd`: it is there and readable, and not what this version reads. */
export type Viewed =
  | { readonly type: "open"; readonly state: State }
  | { readonly type: "none" | "unreadable" | "odd" };

/** An open state is to be closed. */
export function viewState(folder: string): Viewed {
  const file = join(folder, "state.db");
  if (!isReadable(folder)) return { type: existsSync(folder) ? "unreadable" : "none" };
  if (!existsSync(file)) return { type: "none" };
  if (!isReadable(file)) return { type: "unreadable" };
  const state = State.view(folder);
  return state === undefined ? { type: "odd" } : { type: "open", state };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    // The one answer that accessSync gives for "no".
    return false;
  }
}
