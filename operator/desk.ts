// What a command works with: the world, the home folder, the cache, and what the person asked for on the command line.
import { Cache } from "./home/cache.ts";
import { type Home, homeFolder, openHome } from "./home/home.ts";
import type { World } from "./world.ts";

/** Options that every command takes. */
export type CommonOptions = {
  readonly home?: string;
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly passphraseFile?: string;
  readonly passphraseFd?: number;
};

export type Desk = Disposable & {
  readonly world: World;
  readonly options: CommonOptions;
  readonly home: Home;
  readonly cache: Cache;
};

export function folderOf(world: World, options: CommonOptions): string {
  return options.home ?? homeFolder(world);
}

/** Opens home and cache; dispose of it to close the cache. Throws a `home-*` fault. */
export function openDesk(world: World, options: CommonOptions): Desk {
  const home = openHome(folderOf(world, options), world.platform);
  const cache = new Cache(home.folder);
  return { world, options, home, cache, [Symbol.dispose]: () => cache[Symbol.dispose]() };
}

/** One line for a person, on stderr. */
export function say({ stderr }: World, line: string): void {
  stderr.write(`${line}\n`);
}

/** One result, on stdout. */
export function print({ stdout }: World, text: string): void {
  stdout.write(`${text}\n`);
}

/** A result as JSON on one line, with members in the order that they were written in. */
export function printJson({ stdout }: World, value: unknown): void {
  stdout.write(`${JSON.stringify(value)}\n`);
}
