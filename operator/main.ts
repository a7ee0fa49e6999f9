// The operator's program: reads clock, environment and arguments, once, and runs the command that they name.
import { randomBytes } from "node:crypto";
import { homedir } from "node:os";
import { isSea } from "node:sea";
import { buildCli } from "./cli/cli.ts";
import { report } from "./report.ts";
import type { World } from "./world.ts";

/** Called when nobody reads standard output any more. */
const waiting = new Set<() => void>();
let wasTold = false;

const world: World = {
  now: () => Date.now(),
  random: (bytes) => new Uint8Array(randomBytes(bytes)),
  env: process.env,
  platform: process.platform,
  homeFolder: homedir(),
  // The one-file program has --disable-sigusr1 inside (scripts/package/one-file.ts), and takes no options for Node.
  itself: isSea() ? [process.execPath] : [process.execPath, "--disable-sigusr1", process.argv[1] ?? ""],
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  onInterrupt: (callback) => {
    process.on("SIGINT", callback).on("SIGTERM", callback);
    return () => void process.off("SIGINT", callback).off("SIGTERM", callback);
  },
  onUnread: (callback) => {
    waiting.add(callback);
    return () => void waiting.delete(callback);
  },
};

// A reader that has had enough, such as `head`, is no failure of ours; a command that waits for more says what it leaves.
process.stdout.on("error", (error) => {
  if (!("code" in error) || error.code !== "EPIPE") throw error;
  if (waiting.size === 0 && !wasTold) process.exit(0);
  wasTold = true;
  for (const callback of waiting) callback();
});

buildCli(world, (code) => (process.exitCode = code))
  .parseAsync(process.argv)
  .catch((error: unknown) => {
    process.exitCode = report(world, error);
  });
