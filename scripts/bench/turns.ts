/** What the queue of turns costs an agent where ten thousand jobs wait: each place that is freed takes the next one. */
import { TurnQueue, type Waiting } from "../../agent/jobs/turn-queue.ts";
import { digits, inMs, type Report } from "./numbers.ts";

const JOBS = 10_000;
const ROUNDS = 5;
const NOON = () => ({ day: "mon", minute: 720 }) as const;

type Shape = (n: number) => Partial<Waiting>;

export function turns(): Promise<Report> {
  const rows = [
    rowOf("of one operator, no locks", () => ({})),
    rowOf("of 64 operators, no locks", (n) => ({ signer: `operator ${n % 64}` })),
    rowOf("of 64 operators, all with one lock", (n) => ({ signer: `operator ${n % 64}`, lock: "one" })),
    rowOf("of one operator, each with a lock of its own", (n) => ({ lock: `lock ${n}` })),
    rowOf("of one operator, each due at a time of its own", (n) => ({ notBefore: n })),
  ];
  return Promise.resolve({
    title: `turns: ${JOBS} waiting jobs, taken one after the other, with what an agent asks besides at each`,
    rows,
    notes: [`${ROUNDS} rounds in this process; nothing runs and nothing is stored`],
  });
}

function rowOf(what: string, shape: Shape) {
  const took = Array.from({ length: ROUNDS }, () => timeOf(shape));
  const each = (Math.max(...took) * 1000) / JOBS;
  return { what, value: inMs(took), ratio: `${digits(each)} us a job at the most` };
}

function timeOf(shape: Shape): number {
  const queue = new TurnQueue();
  for (let n = 0; n < JOBS; n++) {
    queue.add({
      job: `job ${n}`,
      signer: "ada",
      notBefore: 0,
      expiresAt: 1e9,
      lock: undefined,
      window: undefined,
      ...shape(n),
    });
  }
  const start = performance.now();
  for (let now = 0; queue.size > 0; now++) takeOne(queue, now);
  return performance.now() - start;
}

function takeOne(queue: TurnQueue, now: number): void {
  queue.takeExpired(now);
  const next = queue.take(now, NOON);
  queue.hold(next?.lock);
  queue.hasDue(now, NOON);
  queue.release(next?.lock);
  queue.nextLook(now);
}
