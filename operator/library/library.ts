// Where scripts are kept. Two places have one shape: the library in the home folder, which holds copies, and a plain folder that a
// team keeps together, which is read as it is.
import type { CommonOptions } from "../desk.ts";
import { folderOf } from "../desk.ts";
import { Fault } from "../fault.ts";
import { openHome } from "../home/home.ts";
import type { World } from "../world.ts";
import { isScriptName } from "./header.ts";
import { HomeLibrary } from "./home-library.ts";
import { FolderLibrary } from "./folder-library.ts";
import type { Script } from "./script.ts";

export type LibraryOptions = CommonOptions & { readonly library?: string };

export type Shelved = Script & {
  /** The file that it is in, or was copied from. */
  readonly from: string;
  /** Set for a copy where that file is another now, or gone. */
  readonly origin?: "changed" | "missing";
};

export type Library = {
  /** By name. One that cannot be read ends the list: throws `script-header` or `script-changed`. */
  readonly list: () => readonly Shelved[];
  readonly names: () => readonly string[];
  /** Throws `script-unknown`, and what `list` throws. */
  readonly get: (name: string) => Shelved;
};

/** The folder that was named, else the home's. Throws a `home-*` fault, or `file-missing` for a folder that is not there. */
export function openLibrary(world: World, options: LibraryOptions): Library {
  return options.library === undefined ? openHomeLibrary(world, options) : new FolderLibrary(options.library);
}

export function openHomeLibrary(world: World, options: CommonOptions): HomeLibrary {
  return new HomeLibrary(openHome(folderOf(world, options), world.platform).folder, world.platform);
}

/** A name as typed, which may be anything. Throws `misuse`. */
export function checkedScriptName(name: string): string {
  if (isScriptName(name)) return name;
  throw new Fault("misuse", `${JSON.stringify(name)} is no name of a script`);
}
