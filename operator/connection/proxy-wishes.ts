// What the command line and the home say of proxies, for each command alike, as part of the world that commands see.
import type { Command } from "commander";
import { UNSET } from "../../protocol/proxy-choice.ts";
import { Fault } from "../fault.ts";
import { hasHome, homeFolder, readConfig } from "../home/home.ts";
import type { World } from "../world.ts";
import { checkTypedProxy } from "./counting-proxy.ts";

/** Adds `--proxy` to the program. The answered world has what it says once a command is called, which may throw `proxy-form`. */
export function withProxyWishes(cli: Command, world: World): World {
  let wishes: World["proxy"];
  cli.option("--proxy <url>", "the proxy that leads to the relay, direct, or none: what the environment says");
  cli.hook("preAction", (_cli, command) => {
    const { proxy: typed, home } = command.optsWithGlobals<{ readonly proxy?: string; readonly home?: string }>();
    if (typed !== undefined) checkTypedProxy(typed);
    const kept = keptIn(home ?? homeFolder(world));
    wishes = { ...(typed === undefined ? {} : { typed }), ...(kept === undefined ? {} : { kept }) };
  });
  return {
    ...world,
    get proxy() {
      return wishes ?? {};
    },
  };
}

/** For the configuration of a home that is made now: what was typed, else what the home before it had. */
export function proxyToKeep({ proxy: { typed, kept } = {} }: World): { readonly proxy?: string } {
  if (typed === UNSET) return {};
  const proxy = typed ?? kept;
  return proxy === undefined ? {} : { proxy };
}

/** A home that cannot be read is the command's to tell of, if it needs one. */
function keptIn(folder: string): string | undefined {
  try {
    return hasHome(folder) ? readConfig(folder).proxy : undefined;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
