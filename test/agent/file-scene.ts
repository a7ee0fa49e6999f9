// A bound device with a daemon, a relay that has a sealed file, and a job that brings it.
import { expect, vi } from "vitest";
import { pathsIn } from "../../agent/paths.ts";
import { openOutput } from "../../protocol/output.ts";
import { type Job, jobFor, type JobSetup } from "../cast/job.ts";
import { fileFor, type FileSetup } from "../cast/job-file.ts";
import { raw } from "../cast/person.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, receiptsOf } from "./bound.ts";
import { startDaemon, stateFolder } from "./daemon-on.ts";
import { SmallRelay } from "./small-relay.ts";

/** A device with a relay that has this file, and a job that prints what it finds of it. */
export async function scene(setup: FileSetup = {}, over: Partial<JobSetup> = {}) {
  const acme = new Tenant();
  const relay = await SmallRelay.open([acme]);
  const { path, state } = stateFolder();
  bindTo(state, acme, { deployment: { relays: [relay.url] } });
  const device = deviceOf(state);
  const made = fileFor(setup);
  relay.blobs.set(made.file.blob, made.sealed);
  const source = 'cd "$KEYBOUND_FILES" && pwd && ls -A && cat ./* 2>/dev/null | sha256sum';
  const job = jobFor({ tenant: acme, devices: [device], ...over, body: { source, files: [made.file], ...over.body } });
  const give = (to: Job = job) => {
    relay.greeting = [[{ type: "job", job: to.job, watched: false }, partsOf(to)]];
  };
  const partsOf = (to: Job) => [to.envelope, to.sealedFor(device).wrap, to.sealedFor(device).body];
  const answered = (count = 1) =>
    vi.waitFor(() => expect(receiptsOf(state)).toHaveLength(count), { timeout: 8000, interval: 20 });
  const start = () => startDaemon(path, state, { now: () => acme.clock.now });
  const output = async () => {
    const isSent = () => relay.said.some(({ header }) => header["type"] === "receipt");
    await vi.waitFor(() => expect(isSent()).toBe(true), { timeout: 5000 });
    const [first] = receiptsOf(state);
    const row = relay.said.filter(({ header }) => header["type"] === "result-part").at(-1);
    const result = row?.parts[0];
    if (first === undefined || result === undefined) return "";
    const [stdout] = openOutput(result, {
      receipt: first.receipt,
      readers: [raw(acme.founder.sealing)],
      pair: acme.founder.sealing,
    });
    return new TextDecoder().decode(stdout?.head);
  };
  const outcomes = () => receiptsOf(state).map(({ receipt }) => receipt.outcome);
  return {
    acme,
    relay,
    path,
    state,
    device,
    ...made,
    job,
    give,
    answered,
    start,
    output,
    outcomes,
    paths: pathsIn(path),
  };
}

/** What it was asked for of files. */
export const asks = (relay: SmallRelay) => relay.said.filter(({ header }) => header["type"] === "read-blob");
