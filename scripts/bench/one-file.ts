/** The programs as one file each, made by Node's own builder and by @yao-pkg/pkg, beside the vendor's Node with a bundle. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeOneFiles } from "../package/one-file.ts";
import { digits, inMib, inMs, median, type Report, type Row, times } from "./numbers.ts";
import { figuresOf } from "./process-figures.ts";
import type { Bench } from "./stage.ts";

const ROUNDS = 21;
const OF_EACH = 3;
const SETTLE_MS = 5000;
/** Brought from the registry for this comparison alone. */
const PKG = "@yao-pkg/pkg@6.23.0";

/** `pkg` is the same two programs as `one`. */
type Made = {
  readonly one: readonly [string, string];
  readonly pkg: readonly [string, string];
  readonly rows: readonly Row[];
};

export async function oneFile({ bundles, folder }: Bench): Promise<Report> {
  const { one, pkg, rows } = await make(bundles, folder);
  const node = process.execPath;
  const starts = startTimes({
    "`node -e 0`": [node, "-e", "0"],
    "Node with the client's bundle": [node, bundles.operator, "--version"],
    "**one file**, `keybound --version`": [one[0], "--version"],
    "the same by pkg": [pkg[0], "--version"],
  });
  const idle = {
    "Node with the relay's bundle": [node, bundles.relay],
    "**one file**, relay": [one[1]],
    "the same by pkg": [pkg[1]],
  };
  const idleRows: Row[] = [];
  for (const [what, words] of Object.entries(idle)) idleRows.push(await idleRow(what, words, folder));
  return {
    title: `one file: ${ROUNDS} rounds of starts, ${OF_EACH} idle relays of each`,
    rows: [...rows, ...starts, ...idleRows],
    notes: [
      `${PKG} with its cache seeded with the same Node; without that it downloads Node from nodejs.org`,
      `NODE_OPTIONS=--no-such-option: one file ${heeds(one[0])}, by pkg ${heeds(pkg[0])}`,
      "idle: RSS, and private memory of smaps_rollup, after the executable's pages were dropped from the cache",
    ],
  };
}

async function make({ operator, relay }: Bench["bundles"], folder: string): Promise<Made> {
  const options = { version: "0.0.0", epochS: 0, folder: join(folder, "one"), platforms: ["linux-x64"] as const };
  const start = performance.now();
  await makeOneFiles(options);
  const oneMs = performance.now() - start;
  const one = ["keybound", "keybound-relay"].map((name) => join(folder, `one/${name}-0.0.0-linux-x64`));
  const pkg = preparePkg(folder);
  const begun = performance.now();
  const byPkg = [operator, relay].map((bundle, n) => pkg(bundle, join(folder, `pkg-${n}`)));
  const pkgMs = performance.now() - begun;
  const again = pkg(operator, join(folder, "pkg-again"));
  const isSame = readFileSync(again).equals(readFileSync(String(byPkg[0])));
  return {
    one: pairOf(one),
    pkg: pairOf(byPkg),
    rows: [
      {
        what: "**one file**: two programs built, with bundling, unpacking of Node, licences",
        value: `${digits(oneMs / 1000)} s`,
      },
      {
        what: "the same by pkg, of bundles and an unpacked Node",
        value: `${digits(pkgMs / 1000)} s`,
        ratio: isSame ? "same bytes twice" : "other bytes twice",
      },
      {
        what: "client: bundle and Node; one file; by pkg",
        value: [operator, process.execPath, one[0] ?? "", byPkg[0] ?? ""].map(size).join(", "),
      },
    ],
  };
}

function size(file: string): string {
  return `${digits(statSync(file).size / 2 ** 20)} MiB`;
}

function pairOf([client, relay]: readonly string[]): readonly [string, string] {
  if (client === undefined || relay === undefined) throw new Error("internal error: two programs were to be made");
  return [client, relay];
}

/** pkg in a home of its own, whose cache has our Node where the downloaded one would be. */
function preparePkg(folder: string): (bundle: string, output: string) => string {
  execFileSync("npm", ["install", "--silent", "--no-audit", "--ignore-scripts", "--prefix", join(folder, "npm"), PKG]);
  const name = `node-${process.version}-linux-${process.arch}`;
  const cache = join(folder, ".pkg-cache/sea");
  const node = join(cache, name, "bin/node");
  mkdirSync(dirname(node), { recursive: true });
  copyFileSync(process.execPath, node);
  for (const file of [`${cache}/${name}.tar.gz`, `${cache}/${name}.tar.gz.ok`, `${node}.ok`]) writeFileSync(file, "");
  const target = `node${process.versions.node}-linux-${process.arch}`;
  return (bundle, output) => {
    const program = join(folder, "npm/node_modules/@yao-pkg/pkg/lib-es5/bin.js");
    const words = [program, "--sea", "--targets", target, "--output", output, bundle];
    execFileSync(process.execPath, words, { env: { ...process.env, HOME: folder }, stdio: "ignore" });
    return output;
  };
}

/** One after the other in each round, so that what else the machine does falls on all of them. */
function startTimes(commands: Readonly<Record<string, readonly [string, ...string[]]>>): readonly Row[] {
  const series = Object.entries(commands).map(([what, words]) => ({ what, words, took: numbers() }));
  for (let n = 0; n <= ROUNDS; n++)
    for (const { words, took } of series) {
      const [file, ...args] = words;
      const start = performance.now();
      execFileSync(file, args, { env: {}, stdio: "ignore" });
      if (n > 0) took.push(performance.now() - start);
    }
  const floor = median(series[0]?.took ?? []);
  return series.map(({ what, took }) => ({
    what,
    value: inMs(took),
    ratio: times(median(took), floor, "`node -e 0`"),
  }));
}

function numbers(): number[] {
  return [];
}

async function idleRow(what: string, [file = "", ...args]: readonly string[], folder: string): Promise<Row> {
  // Read through once, an executable lies in large pages in the cache, and RSS reads 27 MiB higher.
  execFileSync("dd", [`if=${file}`, "iflag=nocache", "count=0"], { stdio: "ignore" });
  const relays = Array.from({ length: OF_EACH }, (_, n) => {
    const state = join(folder, `${what.replaceAll(/\W/g, "")}-${n}`);
    const words = [...args, "serve", "--state", state, "--listen", "127.0.0.1:0"];
    return spawn(file, words, { env: {}, stdio: "ignore" });
  });
  try {
    await sleep(SETTLE_MS);
    const figures = relays.map(({ pid = 0 }) => figuresOf(pid));
    const own = inMib(figures.map(({ privateBytes }) => privateBytes));
    return { what: `${what}, idle`, value: inMib(figures.map(({ rssBytes }) => rssBytes)), ratio: `private ${own}` };
  } finally {
    for (const relay of relays) relay.kill();
  }
}

function heeds(program: string): string {
  const { status } = spawnSync(program, ["--version"], { env: { NODE_OPTIONS: "--no-such-option" } });
  return status === 0 ? "does not heed it" : "obeys it";
}
