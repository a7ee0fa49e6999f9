// An agent that starts one job and waits to be killed: `crashing-agent.ts WAY RUNNING SCRIPT`, with the way's place in the list.
import { WAYS, containmentOf } from "./hostile-job.ts";

const [at, running, script] = process.argv.slice(2);
const way = WAYS[Number(at)];
if (way === undefined || running === undefined || script === undefined) throw new Error("usage: WAY RUNNING SCRIPT");
const enclosure = containmentOf(way, running).open("job", { timeMs: 20_000, outputBytes: 0 });
const child = enclosure.spawn({
  program: "/bin/sh",
  args: ["-c", script],
  env: { PATH: "/usr/bin:/bin" },
  cwd: "/",
  hasInput: false,
  descriptors: [],
});
child.stdout?.pipe(process.stdout);
setTimeout(() => process.exit(1), 30_000);
