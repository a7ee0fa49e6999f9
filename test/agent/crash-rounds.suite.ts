// A job that comes round, on an agent killed at every commit: no occurrence runs twice, and each is answered exactly once.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyJournal } from "../../agent/state/journal.ts";
import { State } from "../../agent/state/state.ts";
import { firstOf } from "../../operator/results/occurrence-list.ts";
import { HOUR } from "../cast/clock.ts";
import { jobFor } from "../cast/job.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, openState, receiptsOf } from "./bound.ts";

const COUNT = 4;
const MAX_POINTS = 100;

async function run(path: string, point: number): Promise<NodeJS.Signals | null> {
  const program = join(import.meta.dirname, "fault-rounds.ts");
  const child = spawn(process.execPath, [program, path, String(point)], { stdio: "inherit", timeout: 60_000 });
  await once(child, "exit");
  if (child.signalCode === null && child.exitCode !== 0) throw new Error(`ended with ${child.exitCode}`);
  return child.signalCode;
}

/** A bound state with the job beside it, and where the job leaves its marks. */
function device(): { readonly path: string; readonly marks: string } {
  const path = join(folder(), "state");
  const acme = new Tenant();
  const state = State.open(path);
  bindTo(state, acme);
  const own = deviceOf(state);
  state.close();
  const marks = join(path, "marks");
  const job = jobFor({
    tenant: acme,
    devices: [own],
    manifest: { runs: { everyMs: HOUR, count: COUNT } },
    body: { source: `echo ran >> '${marks}'` },
  });
  const { wrap, body } = job.sealedFor(own);
  for (const [name, bytes] of Object.entries({ job: job.envelope, wrap, body })) writeFileSync(join(path, name), bytes);
  writeFileSync(join(path, "clock"), String(acme.clock.now));
  return { path, marks };
}

/** The device is off for some time after its crash, so that occurrences are missed as well. */
function stayAway(path: string): void {
  const clock = join(path, "clock");
  writeFileSync(clock, String(Number(readFileSync(clock, "utf8")) + 1.5 * HOUR));
}

function check(path: string, marks: string, at: string): void {
  const state = openState(path);
  const receipts = receiptsOf(state).map(({ receipt }) => receipt);
  const answered = receipts.flatMap((receipt) => {
    const first = firstOf(receipt);
    return Array.from({ length: (receipt.occurrence ?? 0) - first + 1 }, (_, n) => first + n);
  });
  expect(answered, `each occurrence has one answer, ${at}`).toEqual(Array.from({ length: COUNT }, (_, n) => n + 1));
  const ran = existsSync(marks) ? readFileSync(marks, "utf8").split("\n").length - 1 : 0;
  const exited = receipts.filter(({ outcome }) => outcome.type === "exited").length;
  const lost = receipts.filter(({ outcome }) => outcome.type === "lost").length;
  expect(ran, `at ${at}`).toBeGreaterThanOrEqual(exited);
  expect(ran, `at ${at}`).toBeLessThanOrEqual(exited + lost);
  expect(lost, `at ${at}`).toBeLessThanOrEqual(1);
  expect(state.all("SELECT job FROM ledger WHERE state <> 'finished' OR body IS NOT NULL"), `at ${at}`).toEqual([]);
  verifyJournal(state);
}

test("an agent killed at any commit runs no occurrence twice and answers each once", async () => {
  let points = 0;
  for (let point = 1; point <= MAX_POINTS; point++) {
    const { path, marks } = device();
    const signal = await run(path, point);
    if (signal === "SIGKILL") {
      stayAway(path);
      await run(path, 0);
    }
    check(path, marks, `point ${point}`);
    if (signal !== "SIGKILL") break;
    points = point;
  }
  console.log(`killed at each of ${points} points`);
  // Claim, and for each occurrence its beginning and its end; before and after each.
  expect(points).toBe(2 * (1 + 2 * COUNT));
});
