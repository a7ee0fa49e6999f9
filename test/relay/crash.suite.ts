// The relay killed at every point where it commits: what it confirmed is there afterwards, nothing is there twice, no log has a gap.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { type RunningRelay, startRelay } from "../../relay/start.ts";
import { device } from "../cast/device.ts";
import { makeClaim } from "../../relay/claim.ts";
import { openRelayStore } from "../../relay/start.ts";
import { type MakeClaim, ResetAct } from "./crash-reset.ts";
import { Act, checkConfirmed, checkWhole } from "./crash-story.ts";
import { Clock } from "../cast/clock.ts";

/** Far more than the story has commits. */
const MAX_POINTS = 400;
const FAULTY = join(import.meta.dirname, "fault-relay.ts");

test("a relay killed at any commit keeps what it confirmed, once", { timeout: 600_000 }, async () => {
  let points = 0;
  for (let n = 1; n <= MAX_POINTS; n++) {
    const wasKilled = await crashAt(n);
    if (!wasKilled) break;
    points = n;
  }
  console.log(`killed at each of ${points} points`);
  expect(points).toBeGreaterThan(30);
  expect(points).toBeLessThan(MAX_POINTS);
});

/** Tells the story to a relay that dies at its n-th point, then the rest to its successor. `false`: it lived to the end. */
async function crashAt(n: number): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "keybound-crash-"));
  const acts = { act: new Act(device("web-1")), reset: new ResetAct() };
  const child = spawn(process.execPath, [FAULTY, folder, String(n)], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const ended = once(child, "close");
    const lived = await tell(child, acts, claimsAt(folder));
    child.kill("SIGKILL");
    await ended;
    const relay = await successor(folder);
    try {
      await recover(relay, acts, `point ${n}`);
    } finally {
      await relay.close();
    }
    return !lived;
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

type Acts = { readonly act: Act; readonly reset: ResetAct };

/** What the successor finds is what was confirmed; then both stories are told to their ends. */
async function recover(relay: RunningRelay, { act, reset }: Acts, at: string): Promise<void> {
  await checkConfirmed(relay.url, act, at);
  await reset.check(relay.url, at);
  await act.goOn(relay.url, relay.newClaimCode());
  await reset.goOn(relay.url, relay.newClaimCode);
  await checkWhole(relay.url, act, at);
  await reset.check(relay.url, at);
}

function claimsAt(folder: string): MakeClaim {
  return (retires) => {
    const { db, claims } = openRelayStore({ folder });
    try {
      return makeClaim(claims, {
        now: new Clock().now,
        random: (bytes) => new Uint8Array(randomBytes(bytes)),
        retires,
      });
    } finally {
      db.close();
    }
  };
}

/** Whether the stories came to their ends before the relay died. */
async function tell(child: ChildProcess, { act, reset }: Acts, makeClaims: MakeClaim): Promise<boolean> {
  if (child.stdout === null) throw new Error("a child without stdout");
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([once(lines, "line"), once(lines, "close")]);
  const started: unknown = line.length === 0 ? undefined : JSON.parse(String(line[0]));
  if (typeof started !== "object" || started === null || !("url" in started)) return false;
  const claim = "claimCode" in started ? String(started.claimCode) : "";
  try {
    await act.goOn(String(started.url), claim);
    await reset.goOn(String(started.url), makeClaims);
    return true;
  } catch (error) {
    if (error instanceof Error && /closed with|not open/.test(error.message)) return false;
    throw error;
  }
}

function successor(folder: string): Promise<RunningRelay> {
  return startRelay({
    folder,
    listen: { host: "127.0.0.1", port: 0 },
    now: () => new Clock().now,
    ticks: () => performance.now(),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    log: { info: () => undefined, warn: () => undefined, error: (fields, message) => console.error(message, fields) },
  });
}
