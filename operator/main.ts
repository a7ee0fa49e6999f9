// The operator's program: reads clock, environment and arguments, once, and runs the command that they name.
import { randomBytes } from "node:crypto";
import { homedir } from "node:os";
import { buildCli } from "./cli.ts";
import { report } from "./report.ts";
import type { World } from "./world.ts";

const world: World = {
  now: () => Date.now(),
  random: (bytes) => new Uint8Array(randomBytes(bytes)),
  env: process.env,
  platform: process.platform,
  homeFolder: homedir(),
  program: process.argv[1] ?? "",
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  onInterrupt: (callback) => {
    process.on("SIGINT", callback).on("SIGTERM", callback);
    return () => void process.off("SIGINT", callback).off("SIGTERM", callback);
  },
};

// A reader that has had enough, such as `head`, is no failure of ours.
process.stdout.on("error", (error) => {
  if ("code" in error && error.code === "EPIPE") process.exit(0);
  throw error;
});

buildCli(world, (code) => (process.exitCode = code))
  .parseAsync(process.argv)
  .catch((error: unknown) => {
    process.exitCode = report(world, error);
  });
