/** Bundles what ships: one CommonJS file a program under dist/, with the licences of what it contains beside it. */
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { build, type BuildOptions, type Plugin } from "esbuild";
import { releaseKeysPlugin } from "./pinned-keys.ts";
import { buildLauncher, COMPILER_TOOLS, LAUNCHER } from "./package/windows/programs.ts";

const ROOT = join(import.meta.dirname, "..");
const DIST = join(ROOT, "dist");

/** Each program's entry, by the name of its bundle. */
const programs = {
  "keybound-agent.cjs": "agent/main.ts",
  "keybound-agent-inventory.cjs": "agent/inventory/inventory-main.ts",
  "keybound.cjs": "operator/main.ts",
  "keybound-relay.cjs": "relay/main.ts",
} as const;

/**
 * Bundles a file of ours for a browser, where `#primitives` is noble, and returns the script as an ES module. Throws
 * when it reaches a module of Node's.
 */
export async function bundleForBrowser(entry: string): Promise<string> {
  const result = await build({
    ...shared(entry),
    platform: "browser",
    target: "es2024",
    format: "esm",
    legalComments: "inline",
    write: false,
  });
  const [bundle] = result.outputFiles;
  if (bundle === undefined) throw new Error(`internal error: esbuild wrote nothing for ${entry}`);
  return bundle.text;
}

async function bundlePrograms(): Promise<void> {
  const missing = Object.values(programs).filter((entry) => !existsSync(join(ROOT, entry)));
  if (missing.length > 0) throw new Error(`nothing to bundle at ${missing.join(", ")}`);
  await mkdir(DIST, { recursive: true });
  // What was bundled before, and not the packages beside it, which took minutes.
  for (const entry of await readdir(DIST, { withFileTypes: true }))
    if (entry.isFile()) await rm(join(DIST, entry.name));
  for (const [name, entry] of Object.entries(programs)) {
    await bundleProgram(entry, join(DIST, name));
    await say(name);
  }
  if (buildLauncher(DIST)) await say(LAUNCHER);
  else
    console.log(
      `no dist/${LAUNCHER}, which the agent needs on Windows: apt-get install ${Object.values(COMPILER_TOOLS).join(" ")}`,
    );
}

async function say(name: string): Promise<void> {
  const { size } = await stat(join(DIST, name));
  console.log(`dist/${name} ${(size / 1024).toFixed(1)} KiB`);
}

/**
 * Bundles one of our programs into this file, and returns the paths of the sources that went in. KEYBOUND_RELEASE_KEYS names a file
 * with the release keys to pin in place of packaging/release-keys.json.
 */
export async function bundleProgram(
  entry: string,
  outfile: string,
  plugins: readonly Plugin[] = [releaseKeysPlugin(process.env["KEYBOUND_RELEASE_KEYS"])],
): Promise<readonly string[]> {
  const { metafile } = await build({
    ...shared(entry),
    plugins: [...plugins],
    metafile: true,
    platform: "node",
    target: "node26",
    format: "cjs",
    legalComments: "linked",
    outfile,
  });
  return Object.keys(metafile.inputs);
}

function shared(entry: string): BuildOptions {
  return {
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    keepNames: false,
    sourcemap: false,
    logLevel: "warning",
  };
}

if (import.meta.main) {
  try {
    await bundlePrograms();
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
