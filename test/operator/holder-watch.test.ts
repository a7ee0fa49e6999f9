// When a key holder ends: by two clocks, and by the login session that it was started in.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hasEnded, loginSession } from "../../operator/holder/login-session.ts";
import { Watch } from "../../operator/holder/watch.ts";
import { HOLDER_TICK_MS } from "../../operator/limits.ts";
import { HOUR } from "../cast/clock.ts";
import { until } from "./keeper.ts";

const SECOND = 1000;

/** A watch over clocks that the test turns. */
function turned(lifetimeMs: number) {
  const at = { wall: 1_800_000_000_000, ticks: 5_000, left: false };
  const clocks = { wall: () => at.wall, ticks: () => at.ticks };
  const watch = new Watch(lifetimeMs, { clocks, hasLeft: () => at.left });
  const pass = ({ wall = 0, ticks = 0 }: { wall?: number; ticks?: number }) => {
    at.wall += wall;
    at.ticks += ticks;
    return watch.look();
  };
  return { at, watch, pass };
}

describe("a watch", () => {
  test("has no reason to end while both clocks tick", () => {
    const { pass } = turned(HOUR);
    const reasons = Array.from({ length: 700 }, () => pass({ wall: HOLDER_TICK_MS, ticks: HOLDER_TICK_MS }));
    expect(reasons.slice(0, 719).filter((reason) => reason !== undefined)).toEqual([]);
  });

  test("ends at its lifetime", () => {
    const { pass } = turned(10 * SECOND);
    expect(pass({ wall: 9_999, ticks: 9_999 })).toBeUndefined();
    expect(pass({ wall: 1, ticks: 1 })).toBe("expired");
  });

  test("ends at its lifetime by the counting clock, although the wall's is set back again and again", () => {
    const { pass } = turned(20 * SECOND);
    expect(pass({ wall: -HOUR, ticks: 10 * SECOND })).toBeUndefined();
    expect(pass({ wall: -HOUR, ticks: 10 * SECOND })).toBe("expired");
  });

  test("ends at its lifetime by the wall's clock, although the counting one stands", () => {
    const { pass } = turned(40 * SECOND);
    expect(pass({ wall: 20 * SECOND })).toBeUndefined();
    expect(pass({ wall: 20 * SECOND })).toBe("expired");
  });

  test("ends after sleep, in which the counting clock stood", () => {
    expect(turned(HOUR).pass({ wall: 31 * SECOND, ticks: 1 })).toBe("slept");
  });

  test("ends after sleep, in which the counting clock went on", () => {
    expect(turned(HOUR).pass({ wall: 31 * SECOND, ticks: 31 * SECOND })).toBe("slept");
  });

  test("takes half a minute of a busy machine for no sleep", () => {
    expect(turned(HOUR).pass({ wall: 30 * SECOND, ticks: 30 * SECOND })).toBeUndefined();
  });

  test("ends when its user has left", () => {
    const { at, pass } = turned(HOUR);
    at.left = true;
    expect(pass({})).toBe("left");
  });

  test("can be made shorter and not longer", () => {
    const { watch, pass } = turned(20 * SECOND);
    watch.shorten(HOUR);
    expect(watch.leftMs).toBe(20 * SECOND);
    watch.shorten(10 * SECOND);
    expect(pass({ wall: 10 * SECOND, ticks: 10 * SECOND })).toBe("expired");
  });
});

describe.runIf(process.platform === "linux")("a login session", () => {
  test("by systemd's file ends with the file", () => {
    const sessions = mkdtempSync(join(tmpdir(), "keybound-sessions-"));
    writeFileSync(join(sessions, "c7"), "");
    const session = loginSession({ platform: "linux", id: "c7", sessions });
    expect(session).toEqual({ by: "file", path: join(sessions, "c7") });
    expect(session && hasEnded(session)).toBe(false);
    rmSync(sessions, { recursive: true });
    expect(session && hasEnded(session)).toBe(true);
  });

  test("of a name with a path in it is not looked for", () => {
    const session = loginSession({ platform: "linux", id: "../../../etc/passwd", sessions: "/run/systemd/sessions" });
    expect(session?.by).not.toBe("file");
  });

  test("without systemd ends with the process that leads it", async () => {
    const shell = spawn("/bin/sh", ["-c", "sleep 60 & echo $!; wait"], { detached: true });
    const pid = await lineOf(shell);
    const session = loginSession({ platform: "linux", id: undefined, pid });
    expect(session).toMatchObject({ by: "leader", pid: shell.pid });
    expect(session && hasEnded(session)).toBe(false);
    shell.kill("SIGKILL");
    await until(() => session !== undefined && hasEnded(session), "it has not ended");
    process.kill(pid, "SIGKILL");
  });

  test("is not that of another process which has got the leader's number", () => {
    expect(hasEnded({ by: "leader", pid: process.pid, startedAt: "1" })).toBe(true);
  });

  test("is none for a process that leads its session itself, and none on other systems", async () => {
    const alone = spawn("/bin/sleep", ["60"], { detached: true });
    await once(alone, "spawn");
    expect(loginSession({ platform: "linux", id: undefined, pid: alone.pid ?? 0 })).toBeUndefined();
    alone.kill("SIGKILL");
    expect(loginSession({ platform: "darwin", id: "c7" })).toBeUndefined();
  });
});

async function lineOf({ stdout }: ChildProcess): Promise<number> {
  const [chunk]: Buffer[] = stdout === null ? [] : await once(stdout, "data");
  return Number(chunk?.toString("utf8"));
}
