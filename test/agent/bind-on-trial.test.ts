// A deployment package that comes while a version is on trial: the owner changes before or after it, and is never put back.
import { spawnSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { readMachine } from "../../agent/machine.ts";
import { openToServe } from "../../agent/state/held-state.ts";
import { SCHEMA_VERSION } from "../../agent/state/schema.ts";
import { copyState, hasCopy } from "../../agent/state/state-copy.ts";
import { State } from "../../agent/state/state.ts";
import { pinOf } from "../../protocol/pin.ts";
import { packageOf } from "../cast/package.ts";
import { Tenant } from "../cast/tenant.ts";
import { systemClock } from "./agent-process.ts";
import { bindTo, folder, openState, ownerOf } from "./bound.ts";
import { InstalledVersions } from "./installed-versions.ts";

const MAIN = join(import.meta.dirname, "../../agent/main.ts");

/** A bound device with an installed agent, and what a deployment tool runs there to give it another owner. */
function installed() {
  const [acme, globex] = [new Tenant({ clock: systemClock() }), new Tenant({ clock: systemClock() })];
  const on = new InstalledVersions();
  const program = join(on.program, "keybound-agent.ts");
  symlinkSync(MAIN, program);
  const path = join(folder(), "state");
  const file = join(folder(), "globex.keybound");
  writeFileSync(file, packageOf(globex));
  bindTo(openState(path), acme, { machine: readMachine(0) });
  const words = ["bind", file, "--trust", pinOf(globex.id), "--rebind", "--state", path];
  const rebind = () => spawnSync(process.execPath, [program, ...words], { encoding: "utf8", input: "" });
  return { acme, globex, on, path, rebind, state: openState(path) };
}

it("waits until the trial is decided: refused with what to do, and taken then", () => {
  const { acme, globex, on, rebind, state } = installed();
  on.write("trial", "0.2.0 1\n");
  const { status, stderr } = rebind();
  expect([status, stderr]).toEqual([1, expect.stringMatching(/update-on-trial: version 0\.2\.0\n[^]*hint: wait/)]);
  expect(ownerOf(state).tenant).toBe(acme.id);
  on.write("trial", "not to be read");
  expect([rebind().status, ownerOf(state).tenant]).toEqual([0, globex.id]);
});

it("does not wait for a trial that the package has overtaken, as on an upgrade with a new owner", () => {
  const { globex, on, rebind, state } = installed();
  on.write("trial", "0.1.0 1\n");
  expect([rebind().status, ownerOf(state).tenant]).toEqual([0, globex.id]);
});

it("is refused where the trial changed the tables while it was being read, and the way back stays", () => {
  const path = join(folder(), "state");
  const acme = new Tenant();
  const state = openState(path);
  bindTo(state, acme);
  copyState(path, "0.2.0");
  const newer = new DatabaseSync(join(path, "state.db"));
  newer.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  newer.close();
  expect(() => bindTo(state, new Tenant(), { rebind: true, confirmed: true })).toThrow(
    expect.objectContaining({ code: "state-newer" }),
  );
  expect([ownerOf(state).tenant, hasCopy(path, "0.2.0")]).toEqual([acme.id, true]);
});

it("is not undone by a copy from before: that is gone once the owner is another", () => {
  const path = join(folder(), "state");
  const globex = new Tenant();
  const state = State.open(path);
  bindTo(state, new Tenant());
  copyState(path, "0.2.0");
  bindTo(state, globex, { rebind: true, confirmed: true });
  state.close();
  writeFileSync(join(path, "state.db-wal"), "");
  expect(hasCopy(path, "0.2.0")).toBe(false);
  using held = openToServe(path);
  expect([held.wasReturned, ownerOf(held.state).tenant]).toEqual([false, globex.id]);
});
