/** What an agent costs a device while nothing happens, beside Nodes that have only its two heaviest modules, or nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { digits, inMib, median, type Report, type Row, times } from "./numbers.ts";
import { type Figures, figuresOf } from "./process-figures.ts";
import { Program } from "./programs.ts";
import { type Bench, Stage } from "./stage.ts";
import { rosterDevices, timeJob } from "./timed-job.ts";

const OF_EACH = 3;
/** Five seconds after connecting the agent takes its inventory, in a process of its own. */
const SETTLE_MS = 15_000;
const WINDOW_MS = 30_000;

type Idler = { readonly before: Figures; readonly after: Figures };

export async function agentIdle(bench: Bench): Promise<Report> {
  await using stage = await Stage.open(bench);
  const numbers = Array.from({ length: OF_EACH }, (_, n) => n);
  const agents: Program[] = [];
  for (const n of numbers) agents.push(await stage.agent(`agent-${n}`));
  const floors = await floorsOf(stage, numbers);
  const unlocked = await stage.operator(OF_EACH);
  for (const device of rosterDevices(unlocked)) await timeJob(unlocked, device);
  await sleep(SETTLE_MS);
  const groups = [agents, floors.wsAndSqlite, floors.bare];
  const before = groups.map((group) => group.map(({ pid }) => figuresOf(pid)));
  await sleep(WINDOW_MS);
  const idlers = groups.map((group, g) =>
    group.flatMap(({ pid }, i) => {
      const earlier = before[g]?.[i];
      return earlier === undefined ? [] : [{ before: earlier, after: figuresOf(pid) }];
    }),
  );
  return reportOf(idlers);
}

/** All in one run and one window, so that pages of the one executable are shared alike. */
async function floorsOf(stage: Stage, numbers: readonly number[]) {
  const { echoServer, idleNode } = stage.bench.bundles;
  const server = stage.own(new Program([echoServer], { log: stage.path("echo.log") }));
  const [, url = ""] = await server.line(/^echo at (\S+)$/m);
  const wsAndSqlite = numbers.map((n) =>
    stage.own(new Program([idleNode, url, stage.path(`idle-${n}.db`)], { log: stage.path(`idle-${n}.log`) })),
  );
  for (const idler of wsAndSqlite) await idler.line(/connected/);
  const bare = numbers.map((n) =>
    stage.own(new Program(["-e", "setInterval(() => {}, 1e9)"], { log: stage.path(`bare-${n}.log`) })),
  );
  return { wsAndSqlite, bare };
}

function reportOf([agents = [], wsAndSqlite = [], bare = []]: readonly (readonly Idler[])[]): Report {
  const floor = privateOf(wsAndSqlite);
  const named = [
    { what: "**agent**, after one job", idlers: agents },
    { what: "floor: Node with `ws` connected and `node:sqlite` open", idlers: wsAndSqlite },
    { what: "floor: bare `node -e`, idling", idlers: bare },
  ];
  return {
    title: `agent idle: ${OF_EACH} processes of each at once, ${WINDOW_MS / 1000} s`,
    rows: named.flatMap(({ what, idlers }) => rowsOf(what, idlers, floor)),
    notes: [
      "private memory is Private_Clean and Private_Dirty of smaps_rollup, the target 1.5 x the second row's",
      "RSS counts pages of the executable that all share, and reads about 27 MiB higher after the executable was read sequentially, by cat or a hash",
    ],
  };
}

function rowsOf(what: string, idlers: readonly Idler[], floor: number): readonly Row[] {
  const seconds = WINDOW_MS / 1000;
  const used = median(idlers.map(({ before, after }) => after.ticks - before.ticks));
  const woken = median(idlers.map(({ before, after }) => (after.wakeUps - before.wakeUps) / seconds));
  const ratio = times(privateOf(idlers), floor, "ws and sqlite");
  return [
    { what: `${what}: private memory`, value: inMib(idlers.map(({ after }) => after.privateBytes)), ratio },
    { what: "RSS", value: inMib(idlers.map(({ after }) => after.rssBytes)) },
    { what: "processor, wake-ups", value: `${used} ticks of 10 ms, ${digits(woken)}/s` },
  ];
}

function privateOf(idlers: readonly Idler[]): number {
  return median(idlers.map(({ after }) => after.privateBytes));
}
