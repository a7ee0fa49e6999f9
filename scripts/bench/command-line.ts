/** The operator's program as a person starts it: whole processes, and the part of them that stretches the passphrase. */
import { readFileSync } from "node:fs";
import { openHome } from "../../operator/home/home.ts";
import { stretchOrigin } from "../../operator/unlock/unlock-typed.ts";
import { stretchPassphrase } from "../../protocol/passphrase.ts";
import { inMs, median, type Report, times } from "./numbers.ts";
import { runToEnd } from "./programs.ts";
import { type Bench, Stage } from "./stage.ts";

const ROUNDS = 15;

export async function commandLine(bench: Bench): Promise<Report> {
  await using stage = await Stage.open(bench);
  await stage.agent("agent");
  const cache = { NODE_COMPILE_CACHE: stage.path("compile-cache") };
  const job = ["run", "--all", ...stage.unlocking, "--", "true"];
  const stretch = stretcher(stage);
  const series = [
    { what: "**`keybound run --all -- true`**, one device", run: async () => (await stage.keybound(job)).ms },
    { what: "the same with NODE_COMPILE_CACHE", run: async () => (await stage.keybound(job, cache)).ms },
    { what: "Argon2id of it (256 MiB, 3 passes, 4 lanes), in this process", run: stretch },
    { what: "`keybound devices`", run: async () => (await stage.keybound(["devices"])).ms },
    { what: "`keybound --version`", run: async () => (await stage.keybound(["--version"])).ms },
    { what: "the same with NODE_COMPILE_CACHE", run: async () => (await stage.keybound(["--version"], cache)).ms },
    { what: "floor: `node -e 0`, whole", run: async () => (await runToEnd(["-e", "0"])).ms },
  ].map((one) => ({ ...one, took: numbers() }));
  // The first round admits the device and fills the caches.
  for (let n = 0; n <= ROUNDS; n++) {
    for (const { run, took } of series) {
      const ms = await run();
      if (n > 0) took.push(ms);
    }
  }
  const node = median(series.at(-1)?.took ?? []);
  return {
    title: `CLI: whole processes, ${ROUNDS} rounds`,
    rows: series.map(({ what, took }) => ({
      what,
      value: inMs(took),
      ratio: times(median(took), node, "`node -e 0`"),
    })),
    notes: ["run, devices and version are the bundle of dist/; the passphrase comes from a file"],
  };
}

function stretcher(stage: Stage): () => Promise<number> {
  const home = openHome(stage.home, stage.bench.world.platform);
  const passphrase = readFileSync(stage.passphraseFile, "utf8").trim();
  return async () => {
    const start = performance.now();
    await stretchPassphrase(passphrase, stretchOrigin(home));
    return performance.now() - start;
  };
}

function numbers(): number[] {
  return [];
}
