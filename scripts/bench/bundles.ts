/** The bundles that are measured: what ships, made anew by scripts/build.ts, and the bench's own small programs in the same form. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { runToEnd } from "./programs.ts";

const ROOT = join(import.meta.dirname, "../..");

export type Bundles = {
  readonly agent: string;
  readonly operator: string;
  readonly relay: string;
  readonly echoServer: string;
  readonly idleNode: string;
  readonly spawner: string;
  readonly swarm: string;
  readonly crowd: string;
};

/** Builds dist/ and copies it to `folder`, so that a build in the middle of a run changes nothing in it. */
export async function makeBundles(folder: string): Promise<Bundles> {
  await runToEnd([join(ROOT, "scripts/build.ts")]);
  await cp(join(ROOT, "dist"), folder, { recursive: true });
  return {
    agent: join(folder, "keybound-agent.cjs"),
    operator: join(folder, "keybound.cjs"),
    relay: join(folder, "keybound-relay.cjs"),
    echoServer: await bundle(folder, "bare/echo-server"),
    idleNode: await bundle(folder, "bare/idle-node"),
    spawner: await bundle(folder, "bare/spawner"),
    swarm: await bundle(folder, "swarm-process"),
    crowd: await bundle(folder, "crowd-process"),
  };
}

/** With the options of scripts/build.ts, so that a floor has the same form as what it stands beside. */
async function bundle(folder: string, name: string): Promise<string> {
  const outfile = join(folder, `${name}.cjs`);
  const form = { bundle: true, minify: true, platform: "node", target: "node26", format: "cjs" } as const;
  await build({ entryPoints: [join(import.meta.dirname, `${name}.ts`)], outfile, logLevel: "warning", ...form });
  return outfile;
}
