// Uninstalling: what the owner hears, what goes and what stays on the device, in processes as an uninstaller starts them.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readFarewell } from "../../agent/binding/farewell.ts";
import { isBound } from "../../agent/binding/owner.ts";
import { pathsIn } from "../../agent/paths.ts";
import { readJournal, verifyJournal } from "../../agent/state/journal.ts";
import { bytesOf } from "../../agent/state/row.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import { jobFor } from "../cast/job.ts";
import { Program, until } from "../e2e/program.ts";
import { AgentProcess } from "./agent-process.ts";
import { bindTo, jobsOn } from "./bound.ts";
import { startDaemon } from "./daemon-on.ts";
import { bound, diesLeaving } from "./leaving.ts";

describe("keybound-agent leave", () => {
  it("tells the owner in the device's name, with the place where its journal ends, and ends what waited", async () => {
    const { acme, relay, agent, state, path } = await bound();
    const { device } = agent;
    const job = jobFor({ tenant: acme, devices: [device], manifest: { notBefore: Date.now() + 60_000 } });
    const { jobs } = jobsOn(state, acme, { path });
    jobs.receive({ envelope: job.envelope, ...job.sealedFor(device) }, { watched: false, asked: false });
    await jobs.stop("agent-stop");
    const { code, stdout } = await agent.command("leave");
    expect([code, stdout]).toEqual([0, expect.stringContaining("the owner's relay was told")]);
    expect(relay.kinds(device.id)).toEqual(["receipt", "report"]);
    const { seq, hash } = readJournal(state, 1)[0] ?? { seq: 0, hash: "" };
    expect(relay.reports).toMatchObject([{ device: device.id, left: { journal: { seq, hash } } }]);
    const [receipt] = relay.said.filter(({ header }) => header["type"] === "receipt");
    const read = readReceipt(receipt?.parts[0] ?? new Uint8Array(0), { sig: receipt?.sig ?? "", tenant: acme.id });
    expect(read.receipt).toMatchObject({ job: job.job, outcome: { type: "cancelled", by: "uninstall" } });
  });

  it("takes away binding, keys, queue, files and settings, and keeps the journal", async () => {
    const { agent, state, path, acme } = await bound();
    await agent.command("network", "--proxy", "direct");
    const paths = pathsIn(path);
    for (const folder of [paths.jobs, paths.files, paths.fetched, paths.placed, paths.running]) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "left behind"), "secret");
    }
    writeFileSync(join(path, "state.db.before-0.2.0"), "keys");
    const seed = bytesOf(state.get("SELECT seed FROM owner") ?? {}, "seed");
    await agent.command("leave");
    expect([isBound(state), readFarewell(state), existsSync(paths.placed)]).toEqual([false, undefined, false]);
    expect(existsSync(paths.publicStatus)).toBe(false);
    const kept = Object.entries(agent.rows(["sqlite_sequence"])).filter(([, rows]) => rows.length > 0);
    expect(kept.map(([table]) => table).toSorted()).toEqual(["key_entry", "left_owner"]);
    expect(readJournal(state, 2).map(({ entry }) => JSON.parse(entry))).toMatchObject([
      { type: "bound", tenant: acme.id },
      { type: "left", tenant: acme.id },
    ]);
    expect(() => verifyJournal(state)).not.toThrow();
    expect(
      readdirSync(path)
        .filter((name) => !name.startsWith("state.db-"))
        .toSorted(),
    ).toEqual(["lock.db", "state.db"]);
    state.get("PRAGMA wal_checkpoint(TRUNCATE)");
    expect(readFileSync(join(path, "state.db")).includes(seed)).toBe(false);
  });

  it("is refused with a hint while the agent runs, and changes nothing", async () => {
    const { agent, state } = await bound();
    const running = agent.run();
    await running.says(/serving the owner/);
    const { code, stderr } = await agent.command("leave");
    expect([code, stderr]).toEqual([1, expect.stringMatching(/state-busy: [^]*hint: stop it first/)]);
    expect(isBound(state)).toBe(true);
  });

  it("succeeds without a network, and says that nobody was told", async () => {
    const { relay, agent, state } = await bound();
    relay.close();
    const { code, stdout } = await agent.command("leave");
    expect([code, stdout]).toEqual([0, expect.stringContaining("nobody was told")]);
    expect([isBound(state), readFarewell(state), state.all("SELECT * FROM former")]).toEqual([false, undefined, []]);
  });

  it("does as much with a proxy that cannot be used", async () => {
    const { agent, path, state } = await bound();
    writeFileSync(join(path, "network.json"), '{"version":1,"proxy":"no URL"}\n');
    const { code } = await agent.command("leave");
    expect([code, isBound(state), existsSync(join(path, "network.json"))]).toEqual([0, false, false]);
  });

  it("says nothing in the name of a device whose disk it is a copy of", async () => {
    const { relay, agent, acme } = await bound();
    const copy = new AgentProcess();
    bindTo(copy.state, acme, { deployment: { relays: [relay.url] } });
    const { code, stdout } = await copy.command("leave");
    expect([code, stdout, relay.logins]).toEqual([0, expect.stringContaining("nobody to tell"), []]);
    expect([isBound(copy.state), isBound(agent.state)]).toEqual([false, true]);
  });

  it("is done and makes nothing where there is no state, and again where it was done", async () => {
    const { agent } = await bound();
    const nowhere = join(agent.folder, "nowhere");
    expect(await new Program("agent", ["leave", "--state", nowhere], {}).ended()).toBe(0);
    expect(existsSync(nowhere)).toBe(false);
    expect((await agent.command("leave")).code).toBe(0);
    expect((await agent.command("leave")).stdout).toContain("nobody to tell");
  });
});

describe("a crash while it leaves", () => {
  it("after which the agent is started says the goodbye from there", async () => {
    const { relay, agent, state, path } = await bound();
    expect(await diesLeaving(path, 2)).toBe(true);
    expect(readFarewell(state)?.device).toEqual(expect.any(String));
    startDaemon(path, state);
    await until(() => readFarewell(state) === undefined, "the goodbye");
    expect(relay.reports).toMatchObject([{ left: {} }]);
    expect(agent.state.all("SELECT seed FROM former")).toEqual([]);
  });
});
