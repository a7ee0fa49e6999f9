/** Fifty jobs sent together to one device: every one is answered, and this is how long the last takes. */
import { Floors } from "./floors.ts";
import { digits, inMs, median, type Report, times } from "./numbers.ts";
import { type Bench, Stage } from "./stage.ts";
import { rosterDevices, timeJobs } from "./timed-job.ts";

const JOBS = 50;
const ROUNDS = 7;

export async function manyJobs(bench: Bench): Promise<Report> {
  await using stage = await Stage.open(bench);
  await stage.agent("agent");
  const floors = await Floors.open(stage);
  const unlocked = await stage.operator(1);
  const devices = rosterDevices(unlocked);
  await timeJobs(unlocked, { devices, count: JOBS });
  const [took, spawned]: [number[], number[]] = [[], []];
  for (let n = 0; n < ROUNDS; n++) {
    took.push(await timeJobs(unlocked, { devices, count: JOBS }));
    spawned.push(await floors.spawn(JOBS));
    await floors.sample();
  }
  const ms = median(took);
  const rate = (JOBS * 1000) / ms;
  return {
    title: `many at once: ${JOBS} jobs to one device, ${ROUNDS} rounds`,
    rows: [
      { what: "send to the last verified receipt; all answered", value: inMs(took), ratio: `${digits(rate)} jobs/s` },
      {
        what: `floor: ${JOBS} scripts one after the other`,
        value: inMs(spawned),
        ratio: times(ms, median(spawned), "it"),
      },
      { what: "floor: one SQLite commit, WAL, FULL", value: inMs(floors.of("commit")) },
    ],
    notes: ["the device runs four jobs at a time; a round that loses an answer ends the bench with an error"],
  };
}
