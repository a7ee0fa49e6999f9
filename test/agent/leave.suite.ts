// Uninstalling beside relays that hang, and killed at every commit.
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { readFarewell } from "../../agent/binding/farewell.ts";
import { isBound } from "../../agent/binding/owner.ts";
import { verifyJournal } from "../../agent/state/journal.ts";
import { bound, diesLeaving } from "./leaving.ts";

/** A server that takes connections and never says a word. */
async function hangingRelay(): Promise<string> {
  const server = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return `ws://127.0.0.1:${address.port}`;
}

describe("keybound-agent leave", () => {
  it("gives up after ten seconds on a relay that says nothing, and tells another one meanwhile", {
    timeout: 40_000,
  }, async () => {
    const hanging = await hangingRelay();
    const alone = await bound({ others: [hanging] });
    alone.relay.close();
    const begun = performance.now();
    expect((await alone.agent.command("leave")).stdout).toContain("nobody was told");
    const tookMs = performance.now() - begun;
    expect(tookMs).toBeGreaterThan(9_500);
    expect(tookMs).toBeLessThan(15_000);
    const { agent, relay } = await bound({ others: [hanging] });
    expect((await agent.command("leave")).stdout).toContain("was told");
    expect(relay.reports).toMatchObject([{ left: {} }]);
  });

  it("ends as well with a relay that takes the goodbye and never answers", { timeout: 30_000 }, async () => {
    const { relay, agent, state } = await bound();
    relay.answer = ({ header }) => (header["type"] === "report" ? { type: "job", job: "none" } : undefined);
    const { code, stdout } = await agent.command("leave");
    expect([code, stdout, isBound(state)]).toEqual([0, expect.stringContaining("nobody was told"), false]);
  });
});

/** Far more than leaving has commits. */
const MAX_POINTS = 20;

describe("a crash while it leaves", () => {
  it("at any commit leaves the binding whole or gone, and the next leave does the rest", {
    timeout: 60_000,
  }, async () => {
    const seen: string[] = [];
    for (let n = 1; n <= MAX_POINTS; n++) {
      const { relay, agent, state } = await bound();
      const { device } = agent;
      if (!(await diesLeaving(agent.path, n))) break;
      const farewell = readFarewell(state);
      seen.push(`${isBound(state) ? "bound" : "left"}, ${farewell === undefined ? "nothing" : "a goodbye"} to say`);
      expect(() => verifyJournal(state)).not.toThrow();
      expect(state.all("SELECT tenant FROM left_owner")).toHaveLength(isBound(state) ? 0 : 1);
      expect((await agent.command("leave")).code).toBe(0);
      expect([isBound(state), readFarewell(state)]).toEqual([false, undefined]);
      expect(relay.reports.every(({ left, device: by }) => left !== undefined && by === device.id)).toBe(true);
      expect(relay.reports.length).toBeGreaterThan(0);
    }
    expect(seen).toEqual([
      "bound, nothing to say",
      "left, a goodbye to say",
      "left, a goodbye to say",
      "left, nothing to say",
    ]);
  });
});
