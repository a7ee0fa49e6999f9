/**
 * Runs a script on the Node that package-lock.json pins, installing what the lockfile names first if need be.
 *
 *     node scripts/with-node.mjs SCRIPT [ARGUMENT]...
 *
 * Runs on any Node from 20 on, with no node_modules. `npm ci` is run, and one line on stderr says so, when
 * node_modules/.package-lock.json is missing or names other packages than package-lock.json does. Its output goes to
 * stderr: stdout is the script's alone. Two of these at once install once: the second waits for the folder
 * .npm-ci.lock to go. A kill in the middle of an install leaves that folder, and the next run says to remove it.
 *
 * SIGINT and SIGTERM are passed on, and the exit code is the script's; 1 when installing failed, 2 without a script.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { orExplain, pinnedNode, root, run, runPinned } from "./pinned-node.mjs";

const LOCK_FOLDER = join(root, ".npm-ci.lock");
/** Ten times what an install takes on a slow line. */
const LOCK_WAIT_MS = 600_000;
const LOCK_POLL_MS = 200;

orExplain(async () => {
  const args = process.argv.slice(2);
  if (args.length === 0) {
    console.error("usage: node scripts/with-node.mjs SCRIPT [ARGUMENT]...");
    process.exitCode = 2;
    return;
  }
  if (!installed()) await install();
  await runPinned(args);
});

/** Whether node_modules holds exactly what package-lock.json names, but for optional packages of other platforms. */
function installed() {
  if (!existsSync(pinnedNode())) return false;
  const wanted = lockedPackages("package-lock.json");
  const present = lockedPackages("node_modules/.package-lock.json");
  const same = (path) =>
    wanted[path]?.version === present[path].version && wanted[path].integrity === present[path].integrity;
  const mayMiss = (path) => path === "" || wanted[path].optional || wanted[path].devOptional || wanted[path].peer;
  return Object.keys(present).every(same) && Object.keys(wanted).every((path) => path in present || mayMiss(path));
}

/** The `packages` of a lockfile; of one that is not there, none. */
function lockedPackages(file) {
  const path = join(root, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {};
}

async function install() {
  await takeLock();
  try {
    if (!installed()) await npmCi();
  } finally {
    rmdirSync(LOCK_FOLDER);
  }
}

async function takeLock() {
  const deadlineMs = performance.now() + LOCK_WAIT_MS;
  for (let waited = false; !madeLock(); waited = true) {
    if (!waited) console.error(`waiting for another npm ci (if none is running, remove ${LOCK_FOLDER})`);
    if (performance.now() > deadlineMs) throw new Error(`waited ${LOCK_WAIT_MS} ms for ${LOCK_FOLDER} to go`);
    await sleep(LOCK_POLL_MS);
  }
}

function madeLock() {
  try {
    mkdirSync(LOCK_FOLDER);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

async function npmCi() {
  console.error("node_modules does not match package-lock.json: running npm ci");
  const [command, ...args] = npm();
  const options = { cwd: root, stdio: ["ignore", 2, 2], shell: command === "npm.cmd" };
  const all = ["ci", "--include=dev", "--include=optional", "--no-progress", "--loglevel=error"];
  const { code, signal } = await run(command, [...args, ...all], options);
  if (code !== 0) throw new Error(`npm ci ended with ${signal ?? `exit code ${code}`}`);
  if (!existsSync(pinnedNode())) throw new Error(`npm ci succeeded, yet ${pinnedNode()} is missing`);
}

/** The npm that started us, or the one on PATH. On Windows that is a batch file, which only a shell can start. */
function npm() {
  const started = process.env.npm_execpath;
  if (started !== undefined && basename(started) === "npm-cli.js") return [process.execPath, started];
  return [process.platform === "win32" ? "npm.cmd" : "npm"];
}
