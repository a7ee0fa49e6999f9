// The moment between a job's turn and its beginning, in which its files are placed: what happens meanwhile still counts.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { pathsIn } from "../../agent/paths.ts";
import { DAY, HOUR } from "../cast/clock.ts";
import { type Job, jobFor, type JobSetup } from "../cast/job.ts";
import { contentOf, fileFor } from "../cast/job-file.ts";
import { person } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, jobsOn, openState, receiptsOf } from "./bound.ts";

/** A job whose file has come: its turn comes when it is given, and placing takes some turns of the event loop. */
function scene(over: Partial<JobSetup> = {}) {
  const acme = new Tenant();
  const grace = person("Grace");
  acme.add(grace);
  const state = openState();
  bindTo(state, acme);
  const device = deviceOf(state);
  const path = folder();
  const on = jobsOn(state, acme, { path });
  on.owned.keyState = acme.state;
  const place = join(folder(), "tool");
  const { file, sealed } = fileFor({ path: place, content: contentOf(2_000_000) });
  const body = { source: "true", lock: "apt", files: [file], ...over.body };
  const job = jobFor({ tenant: acme, devices: [device], signers: [grace.signer], ...over, body });
  const { files, placed } = pathsIn(path);
  const came = join(files, job.job);
  mkdirSync(came, { recursive: true });
  writeFileSync(join(came, file.blob), sealed);
  const give = (given: Job) =>
    on.jobs.receive({ envelope: given.envelope, ...given.sealedFor(device) }, { watched: false, asked: false });
  const answered = (count: number) =>
    vi.waitFor(() => expect(receiptsOf(state)).toHaveLength(count), { timeout: 8000 });
  const outcomes = () => receiptsOf(state).map(({ receipt }) => receipt.outcome);
  const left = () => [...readdirSync(dirname(place)), ...(existsSync(placed) ? readdirSync(placed) : [])];
  return { acme, grace, state, device, job, on, came, give, answered, outcomes, left };
}

type Scene = ReturnType<typeof scene>;

/** Something of it is on the disk: looks at every turn of the event loop, because it takes some milliseconds only. */
async function isSeen(left: () => readonly string[]): Promise<void> {
  while (!left().some((name) => name.startsWith(".keybound-"))) await new Promise((resolve) => setImmediate(resolve));
}

/** Another job with the same lock, which runs only if the lock was given back. */
async function runsNext({ acme, device, give, answered, outcomes }: Scene, receipts: number): Promise<void> {
  give(jobFor({ tenant: acme, devices: [device], word: "next", body: { source: "true", lock: "apt" } }));
  await answered(receipts + 1);
  expect(outcomes().at(-1)).toEqual({ type: "exited", code: 0 });
}

describe("a job whose files are being placed", () => {
  it("has not begun yet, and begins when they are", async () => {
    const { job, on, give, answered, outcomes, left } = scene();
    give(job);
    expect(on.jobs.running).toBe(0);
    await answered(1);
    expect(outcomes()).toEqual([{ type: "exited", code: 0 }]);
    expect(left()).toEqual(["tool"]);
  });

  it("that is cancelled then does not run, and leaves nothing", async () => {
    const at = scene();
    const { acme, device, job, came, give, answered, outcomes, left } = at;
    give(job);
    await isSeen(left);
    give(jobFor({ tenant: acme, devices: [device], word: "cancel", cancels: [job] }));
    await answered(2);
    expect(outcomes()).toEqual([
      { type: "cancelled", by: "operator" },
      { type: "cancel-done", jobs: [{ job: job.job, state: "was-waiting" }] },
    ]);
    await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 5000 });
    expect(existsSync(came)).toBe(false);
    await runsNext(at, 2);
  });

  it("whose signer is revoked then does not run, and leaves nothing", async () => {
    const { acme, grace, job, on, give, answered, outcomes, left } = scene();
    give(job);
    await isSeen(left);
    acme.revoke(grace);
    on.owned.keyState = acme.state;
    await answered(1);
    expect(outcomes()).toEqual([{ type: "cancelled", by: "key-revoked" }]);
    await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 5000 });
  });

  it("whose end comes then does not run, and leaves nothing", async () => {
    const { acme, job, give, answered, outcomes, left } = scene();
    give(job);
    await isSeen(left);
    acme.clock.now += 2 * DAY;
    await answered(1);
    expect(outcomes()).toEqual([{ type: "expired" }]);
    await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 5000 });
  });

  it("waits on where its window closes then, and leaves nothing", async () => {
    const now = new Date(new Tenant().clock.now);
    const [from, to] = [now, new Date(now.getTime() + HOUR)].map((time) => time.toTimeString().slice(0, 5));
    const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    const { acme, state, job, on, give, left } = scene({ body: { window: { days, from, to } } });
    give(job);
    await isSeen(left);
    acme.clock.now += 2 * HOUR;
    await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 5000 });
    on.jobs.keysChanged();
    expect(state.all("SELECT state FROM ledger")).toEqual([{ state: "waiting" }]);
    expect([receiptsOf(state), on.jobs.running, on.faults]).toEqual([[], 0, []]);
  });

  it("waits on where the agent stops then, and keeps what has come", async () => {
    const { state, job, on, came, give, left } = scene();
    give(job);
    await isSeen(left);
    await on.jobs.stop("agent-stop");
    expect(state.all("SELECT state FROM ledger")).toEqual([{ state: "waiting" }]);
    expect([left(), readdirSync(came), receiptsOf(state)]).toEqual([[], [expect.any(String)], []]);
  });
});
