// The daemon on a real state: what it will not serve, and what it says of the machine that it runs on.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { writePublicStatus } from "../../agent/binding/public-status.ts";
import { runDaemon } from "../../agent/daemon.ts";
import { askingProgram } from "../../agent/beside-program.ts";
import { takeInventory } from "../../agent/inventory/inventory.ts";
import { pathsIn } from "../../agent/paths.ts";
import { readJournal } from "../../agent/state/journal.ts";
import { State } from "../../agent/state/state.ts";
import { readInventory } from "../../protocol/inventory.ts";
import { raw } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, folder, openState, ownerOf } from "./bound.ts";
import { daemonOptions } from "./daemon-on.ts";
import { AGENT, MACHINE } from "./machine.ts";
import { canMount, smallDisk } from "./small-disk.ts";

const ASKING = askingProgram(join(import.meta.dirname, "../../agent/main.ts"));

it("stops and says so where its identity was made on another machine", async () => {
  const path = join(folder(), "state");
  const state = openState(path);
  bindTo(state, new Tenant());
  const elsewhere = daemonOptions(path, state, { machine: { ...MACHINE, machineId: "machine two" } });
  await expect(runDaemon(elsewhere, new AbortController().signal)).rejects.toMatchObject({ code: "clone" });
  expect(readJournal(state, 1)[0]?.entry).toContain('"type":"clone"');
});

it("serves its owner until it is told to stop, with no relay to be reached", async () => {
  const path = join(folder(), "state");
  const state = openState(path);
  bindTo(state, new Tenant(), { deployment: { relays: ["ws://127.0.0.1:9"] } });
  const stopping = new AbortController();
  setTimeout(() => stopping.abort(), 300);
  await runDaemon(daemonOptions(path, state), stopping.signal);
  expect(readJournal(state, 1)[0]?.entry).toContain('"type":"stopped"');
});

it("signs what the system says of itself, asked in another process", async () => {
  const acme = new Tenant();
  const state = openState();
  bindTo(state, acme);
  const owner = ownerOf(state);
  const command = [process.execPath, ASKING] as const;
  const bytes = await takeInventory(command, { owner, agent: AGENT.text, now: () => 5 }, AbortSignal.timeout(15_000));
  const inventory = readInventory(bytes, { sig: raw(owner.signer), tenant: acme.id });
  expect(inventory).toMatchObject({ device: owner.device, time: 5, os: { platform: "linux" } });
  expect(inventory.memoryBytes).toBeGreaterThan(1_000_000);
});

it("takes no inventory from a process that prints something else", async () => {
  const path = folder();
  const state = openState();
  bindTo(state, new Tenant());
  const printer = join(path, "printer.mjs");
  writeFileSync(printer, 'console.log(JSON.stringify({ host: "x", surprise: true }))');
  const taken = takeInventory(
    [process.execPath, printer],
    { owner: ownerOf(state), agent: AGENT.text, now: () => 5 },
    AbortSignal.timeout(15_000),
  );
  await expect(taken).rejects.toThrow("Invalid key");
});

it.runIf(canMount())(
  "leaves its public status as it was on a full disk, and writes it again when there is room",
  () => {
    const small = smallDisk(3);
    const path = join(small, "state");
    const state = State.open(path);
    onTestFinished(() => state.close());
    bindTo(state, new Tenant(), { deployment: { relays: ["ws://127.0.0.1:9"] } });
    writePublicStatus(pathsIn(path), state, 1);
    expect(() => writeFileSync(join(small, "fill"), new Uint8Array(4_000_000))).toThrow("ENOSPC");
    writePublicStatus(pathsIn(path), state, 2);
    expect(JSON.parse(readFileSync(pathsIn(path).publicStatus, "utf8")).at).toBe(1);
    rmSync(join(small, "fill"));
    writePublicStatus(pathsIn(path), state, 3);
    expect(JSON.parse(readFileSync(pathsIn(path).publicStatus, "utf8")).at).toBe(3);
  },
);
