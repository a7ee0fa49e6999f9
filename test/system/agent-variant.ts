// The real agent with a few lines of its sources changed, as a version that an update brings: a good one, and bad ones of each kind.
import { readFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const ROOT = join(import.meta.dirname, "../..");
const ENTRIES = { "keybound-agent": "agent/main.ts", "keybound-agent-inventory": "agent/inventory/inventory-main.ts" };

/** What is replaced in which file. Each text must be there. */
export type Changes = Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>;

const NUMBER: Changes = { "agent/version.ts": [["[0, 1, 0]", "[0, 2, 0]"]] };
const MORE_TABLES: Changes = {
  "agent/state/schema.ts": [
    ["];\nexport const SCHEMA_VERSION", ', "CREATE TABLE newer (x);"];\nexport const SCHEMA_VERSION'],
  ],
};
const main = (from: string, to: string): Changes => ({ "agent/main.ts": [[from, to]] });

/** Each is version 0.2.0. */
export const VARIANTS = {
  good: {},
  "good, with more tables": MORE_TABLES,
  "exits at once": main("main().catch(fail);", "process.exit(3);"),
  "spins for ever": main("main().catch(fail);", "for (;;);"),
  "cannot open the state": {
    "agent/state/state.ts": [["PRAGMA journal_mode = WAL;", "PRAGMA journal_mode = WAL; SELECT x;"]],
  },
  "never connects": {
    "agent/connection/relay-connection.ts": [["/keybound/v1", "/nowhere"]],
    "agent/limits.ts": [["TRIAL_CONNECT_MS = 5 * 60_000", "TRIAL_CONNECT_MS = 1_000"]],
  },
  "crashes after it has changed the tables": {
    ...MORE_TABLES,
    "agent/update/prove.ts": [["await proveItself(held", "process.kill(process.pid, 9); await proveItself(held"]],
  },
  "never serves": main("await countedStart(", "process.kill(process.pid, 9); await countedStart("),
  "ends before it serves, with more tables": {
    ...MORE_TABLES,
    ...main("leaveNoWayBack(paths.state, versions);", "process.kill(process.pid, 9);"),
  },
} as const satisfies Readonly<Record<string, Changes>>;

export type Variant = keyof typeof VARIANTS;

/** Bundles it as scripts/build.ts does, into this folder. */
export async function bundleVariant(variant: Changes, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const changes: Changes = { ...NUMBER, ...variant };
  const settings = { bundle: true, minify: true, platform: "node", target: "node26", format: "cjs" } as const;
  for (const [name, entry] of Object.entries(ENTRIES))
    await build({
      ...settings,
      absWorkingDir: ROOT,
      entryPoints: [entry],
      outfile: join(folder, `${name}.cjs`),
      logLevel: "warning",
      plugins: [changesPlugin(changes)],
    });
}

/** Fails a build of the agent that did not come by a file that was to be changed. */
export function changesPlugin(changes: Changes): Plugin {
  return {
    name: "changes",
    setup: (building) => {
      const missed = new Set(Object.keys(changes));
      for (const [file, its] of Object.entries(changes))
        building.onLoad({ filter: new RegExp(`^${join(ROOT, file).replaceAll(".", "\\.")}$`) }, ({ path }) => {
          missed.delete(file);
          return { loader: "ts", contents: changed(readFileSync(path, "utf8"), its) };
        });
      building.onEnd((result) => {
        const { entryPoints } = building.initialOptions;
        const isAgent = JSON.stringify(entryPoints).includes("agent/main.ts");
        if (isAgent && result.errors.length === 0 && missed.size > 0)
          throw new Error(`internal error: no ${[...missed].join(", ")} to change`);
      });
    },
  };
}

function changed(source: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`internal error: no ${from} to change`);
    return text.replace(from, to);
  }, source);
}
