// All ways for the systems that were asked for, and the ready files that they use.
import { type LinuxSystem, linuxFiles, linuxWays } from "./linux-ways.ts";
import { macosFiles, macosWays } from "./macos-ways.ts";
import type { System } from "./systems.ts";
import type { Facts, ReadyFile, Way } from "./way.ts";
import { windowsFiles, windowsWays } from "./windows-ways.ts";

export function waysFor(systems: readonly System[], facts: Facts): readonly Way[] {
  return systems.flatMap((system) => waysOf(system, facts));
}

export function readyFilesFor(systems: readonly System[], facts: Facts): readonly ReadyFile[] {
  const linux = systems.filter((system): system is LinuxSystem => system === "linux-deb" || system === "linux-rpm");
  return [
    ...linuxFiles(linux, facts),
    ...(systems.includes("windows") ? windowsFiles(facts) : []),
    ...(systems.includes("macos") ? macosFiles(facts) : []),
  ];
}

function waysOf(system: System, facts: Facts): readonly Way[] {
  switch (system) {
    case "linux-deb":
    case "linux-rpm":
      return linuxWays(system, facts);
    case "windows":
      return windowsWays(facts);
    case "macos":
      return macosWays(facts);
    default:
      throw new Error(`internal error: no ways for ${JSON.stringify(system satisfies never)}`);
  }
}

/** A way's lines under what they are for, each indented by four blanks. */
export function wayText({ tool, processor, where, lines }: Way): string {
  const title = processor === undefined ? tool : `${tool}, ${processor}`;
  return `${title}: ${where}\n\n${lines.map((line) => `    ${line}\n`).join("")}`;
}
