// Files of a job that comes round: they come once, are placed anew for each occurrence, and are gone after the last.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { HOUR } from "../cast/clock.ts";
import { folder, receiptsOf } from "./bound.ts";
import { asks, scene } from "./file-scene.ts";

const TWICE = { manifest: { runs: { everyMs: HOUR, count: 2 } } };
/** It finds its file, and takes it away. */
const USE = { source: 'cat -- "$KEYBOUND_FILES/patch.bin" >&2 && rm -- "$KEYBOUND_FILES/patch.bin"' };
const ok = { type: "exited", code: 0 } as const;

type Scene = Awaited<ReturnType<typeof scene>>;

const rows = ({ state }: Scene) =>
  receiptsOf(state).map(({ receipt: { occurrence, runsLeft, outcome } }) => ({ occurrence, runsLeft, ...outcome }));

/** The first occurrence has its receipt; then the agent is started anew an hour later, with nobody to ask for a file. */
async function laterWithoutRelay(on: Scene, between: () => void = () => undefined): Promise<void> {
  on.give();
  const first = on.start();
  await on.answered(1);
  await first.stop();
  on.relay.close();
  between();
  on.acme.clock.now += HOUR;
  on.start();
  await on.answered(2);
}

describe("a file of a job that comes round", () => {
  it("is placed anew for each occurrence, also when the agent was started anew and no relay is there", async () => {
    const on = await scene({}, { ...TWICE, body: USE });
    await laterWithoutRelay(on);
    expect(rows(on)).toEqual([
      { occurrence: 1, runsLeft: 1, ...ok },
      { occurrence: 2, runsLeft: 0, ...ok },
    ]);
    const parts = Math.ceil(on.sealed.length / on.relay.blobPart);
    expect(asks(on.relay)).toHaveLength(parts);
  });

  it("is gone after the last occurrence, and its own folder after each", async () => {
    const on = await scene({}, { ...TWICE, body: USE });
    const between: unknown[] = [];
    await laterWithoutRelay(on, () => {
      between.push(existsSync(join(on.paths.placed, on.job.job)), readdirSync(on.paths.files));
    });
    expect(between).toEqual([false, [on.job.job]]);
    expect([existsSync(join(on.paths.placed, on.job.job)), readdirSync(on.paths.files)]).toEqual([false, []]);
  });

  it("that cannot be placed refuses that occurrence only", async () => {
    const place = join(folder(), "later", "tool");
    const on = await scene({ path: place }, { ...TWICE, body: { source: "true" } });
    await laterWithoutRelay(on, () => mkdirSync(dirname(place)));
    expect(rows(on)).toMatchObject([
      { occurrence: 1, runsLeft: 1, type: "refused", code: "file-place" },
      { occurrence: 2, runsLeft: 0, ...ok },
    ]);
    expect(existsSync(place)).toBe(true);
  });

  it("that does not come ends all of it", async () => {
    const on = await scene({}, { ...TWICE, body: USE });
    on.relay.blobs.clear();
    on.give();
    on.start();
    await on.answered(1);
    expect(rows(on)).toMatchObject([{ occurrence: 1, runsLeft: 0, type: "refused", code: "file-absent" }]);
    expect(on.state.all("SELECT state FROM ledger")).toEqual([{ state: "finished" }]);
  });
});
