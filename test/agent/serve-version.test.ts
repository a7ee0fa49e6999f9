// What a version that serves does with the starter's count of its starts.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { describe, expect, it, vi } from "vitest";
import { AgentFault } from "../../agent/fault.ts";
import { STARTED_MS } from "../../agent/limits.ts";
import { countedStart } from "../../agent/update/serve-version.ts";
import { InstalledVersions } from "./installed-versions.ts";

const log = pino({ level: "silent" });

/** A version that came by an update, at its fourth start. */
function started() {
  const on = new InstalledVersions();
  on.place("0.2.0");
  on.write("starts", "0.2.0 4\n");
  return { on, versions: on.seenBy("0.2.0") };
}

describe("a counted start", () => {
  it.each([
    ["it ends in order", () => Promise.resolve(), undefined],
    ["the agent itself refuses to serve", () => Promise.reject(new AgentFault("disk-full", "")), undefined],
    ["it ends by a fault", () => Promise.reject(new Error("internal error")), "0.2.0 4\n"],
  ])("where %s leaves the count at %s", async (_what, serve, count) => {
    const { on, versions } = started();
    await countedStart({ versions, log }, serve).catch(() => undefined);
    expect(on.read("starts")).toBe(count);
  });

  it("that lasts begins anew after a minute, and a folder that takes no change does not end it", async () => {
    vi.useFakeTimers();
    const lasting = Promise.withResolvers<void>();
    const { on, versions } = started();
    const whole = countedStart({ versions, log }, () => lasting.promise);
    vi.advanceTimersByTime(STARTED_MS);
    expect(on.read("starts")).toBeUndefined();
    // A folder is not removed by what removes a file, as no file is where the disk is read-only.
    mkdirSync(join(on.versions, "starts"));
    const another = countedStart({ versions, log }, () => lasting.promise);
    expect(() => vi.advanceTimersByTime(STARTED_MS)).not.toThrow();
    lasting.resolve();
    await Promise.all([whole, another]);
    vi.useRealTimers();
  });
});
