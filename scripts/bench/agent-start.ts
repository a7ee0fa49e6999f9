/** From the spawn of an agent to its being online, with and without a compile cache. */
import { AGENT_ENVIRONMENT } from "../package/agent-flags.ts";
import { inMs, median, type Report, times } from "./numbers.ts";
import { Program, runToEnd, timeToOutput } from "./programs.ts";
import { type Bench, Stage } from "./stage.ts";

const ROUNDS = 15;

export async function agentStart(bench: Bench): Promise<Report> {
  await using stage = await Stage.open(bench);
  const agent = await stage.boundAgent("agent");
  const { echoServer, idleNode } = bench.bundles;
  const server = stage.own(new Program([echoServer], { log: stage.path("echo.log") }));
  const [, url = ""] = await server.line(/^echo at (\S+)$/m);
  const idle = [idleNode, url, stage.path("idle.db")];
  const cache = { ...AGENT_ENVIRONMENT, NODE_COMPILE_CACHE: stage.path("compile-cache") };
  const took = { plain: numbers(), cached: numbers(), idle: numbers(), node: numbers() };
  // The first round enrols the device and fills the caches.
  for (let n = 0; n <= ROUNDS; n++) {
    const keep = (into: number[], ms: number) => void (n > 0 && into.push(ms));
    keep(took.plain, await timeToOutput(agent, '"connected"', AGENT_ENVIRONMENT));
    keep(took.cached, await timeToOutput(agent, '"connected"', cache));
    keep(took.idle, await timeToOutput(idle, "connected"));
    keep(took.node, (await runToEnd(["-e", "0"])).ms);
  }
  const node = median(took.node);
  const toNode = (series: readonly number[]) => times(median(series), node, "`node -e 0`");
  return {
    title: `start to online, ${ROUNDS} rounds`,
    rows: [
      { what: "**agent**, spawn to `connected` (target 500 ms)", value: inMs(took.plain), ratio: toNode(took.plain) },
      { what: "the same with NODE_COMPILE_CACHE", value: inMs(took.cached), ratio: toNode(took.cached) },
      {
        what: "floor: Node with `node:sqlite`, `ws` to its first echo",
        value: inMs(took.idle),
        ratio: toNode(took.idle),
      },
      { what: "floor: `node -e 0`, whole", value: inMs(took.node) },
    ],
    notes: ["`connected` is logged at the relay's welcome; reading it goes through a pipe"],
  };
}

function numbers(): number[] {
  return [];
}
