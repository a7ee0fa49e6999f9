// The lines in docs/deploy.md, from the functions that print them for a tenant, with an example's pin.
import { installersOf, SYSTEMS, type System } from "../../operator/deployment/systems.ts";
import type { Facts, Way } from "../../operator/deployment/way.ts";
import { waysFor } from "../../operator/deployment/ways.ts";
import manifest from "../../package.json" with { type: "json" };

const { version } = manifest;
const FACTS: Facts = {
  version,
  pin: "7K2MQ-9TX4B-1NC8D-VR5GH-WE3ZJ",
  rebind: false,
  installers: installersOf(version, SYSTEMS).map((installer) => ({ ...installer, sha256: "0".repeat(64) })),
  deployment: new Uint8Array(0),
};
const MARKED = /(<!-- lines: ([\w-]+) ([\w-]+) -->\n)[^]*?(<!-- end -->)/g;

/** The page with what stands between `<!-- lines: SYSTEM TOOL -->` and `<!-- end -->` made anew. Throws for a tool that is not there. */
export function withLines(page: string): string {
  return page.replaceAll(MARKED, (_all, begin: string, system: string, tool: string, end: string) => {
    return `${begin}\`\`\`\n${linesFor(system, tool)}\n\`\`\`\n${end}`;
  });
}

/** Each processor's, one after the other. */
function linesFor(system: string, tool: string): string {
  const systems: readonly System[] = SYSTEMS.filter((one) => one === system);
  const ways: readonly Way[] = waysFor(systems, FACTS).filter((way) => way.tool === tool);
  if (ways.length === 0) throw new Error(`docs/deploy.md: no lines for ${system} ${tool}`);
  return ways.flatMap(({ lines }) => lines).join("\n");
}
