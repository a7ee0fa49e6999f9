// A machine with a real systemd, installed from the .deb, is updated by a job that a release key and an operator have signed.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { BLOB_PART_BYTES } from "../../protocol/limits.ts";
import { raw } from "../cast/person.ts";
import { releaseSigner, updateOf } from "../cast/release.ts";
import { Desk, Estate } from "../e2e/estate.ts";
import { submission } from "../relay/moves.ts";
import { bundler, release } from "../release/built.ts";
import { deploymentOn, dpkg, makePackages, NOW_VERSION, type Packages } from "./installed.ts";
import { Machine } from "./machine.ts";

const PROGRAM = "/usr/libexec/keybound-agent";
const NEXT = "0.2.0";
const KEYS = [releaseSigner()];
const settings = process.env["KEYBOUND_RELEASE_KEYS"];
let estate: Estate;
let packages: Packages;

beforeAll(async () => {
  estate = await Estate.open();
  const keys = estate.path("release-keys.json");
  writeFileSync(keys, JSON.stringify(KEYS.map(raw)));
  process.env["KEYBOUND_RELEASE_KEYS"] = keys;
  packages = await makePackages();
  const bundle = bundler(estate.folder, NEXT, KEYS);
  await release(estate.path("release"), { version: NEXT, bundle, signers: KEYS });
});

afterAll(async () => {
  if (settings === undefined) delete process.env["KEYBOUND_RELEASE_KEYS"];
  else process.env["KEYBOUND_RELEASE_KEYS"] = settings;
  await estate[Symbol.asyncDispose]();
  packages[Symbol.dispose]();
});

/** An update as a job, with its archive at the relay. */
async function send(desk: Desk, device: Awaited<ReturnType<Desk["device"]>>) {
  const folder = estate.path("release");
  const archive = new Uint8Array(readFileSync(join(folder, `keybound-agent-${NEXT}-linux-x64.update`)));
  const signed = new Uint8Array(readFileSync(join(folder, "release.json")));
  const { work, sealed, file } = updateOf({ version: NEXT, archive, release: signed });
  for (let offset = 0; offset < sealed.length; offset += BLOB_PART_BYTES) {
    const part = sealed.subarray(offset, offset + BLOB_PART_BYTES);
    await desk.client.done({ type: "put-blob", blob: file.blob, offset, size: sealed.length }, [part]);
  }
  const job = desk.job(device, "", { updates: work, body: {} });
  const { header, parts } = submission(job);
  await desk.client.done({ ...header, blobs: [file.blob] }, parts);
  return job;
}

it("is the new version afterwards, the same device, and runs what is signed for it", async () => {
  const machine = await Machine.boot(packages.folder);
  onTestFinished(() => machine[Symbol.asyncDispose]());
  const tenant = await estate.found("updated by a job");
  machine.does(dpkg(NOW_VERSION), deploymentOn(machine, { estate, tenant }));
  const desk = await Desk.open(estate, tenant);
  onTestFinished(() => desk[Symbol.asyncDispose]());
  const device = await desk.device();
  const owner = JSON.parse(machine.does("keybound-agent status --json"));
  const job = await send(desk, device);
  // Systemd starts it again after half a minute.
  await machine.comesTrue(`test -e ${PROGRAM}/versions/current`);
  const receipt = await desk.receipt(device, job);
  expect([receipt.outcome, receipt.agent]).toEqual([{ type: "updated", version: NEXT }, `keybound-agent ${NEXT}`]);
  expect(machine.does("keybound-agent --version")).toBe(`keybound-agent ${NEXT}`);
  expect(machine.does("readlink /proc/$(systemctl show --value -p MainPID keybound-agent)/exe")).toBe(
    `${PROGRAM}/versions/${NEXT}/node`,
  );
  expect(machine.does(`stat -c '%U %a' ${PROGRAM}/versions/${NEXT} ${PROGRAM}/versions/${NEXT}/node`)).toBe(
    "root 755\nroot 755",
  );
  const now = JSON.parse(machine.does("keybound-agent status --json"));
  expect([now.device, now.pin]).toEqual([owner.device, owner.pin]);
  expect((await desk.receipt(device, await desk.send(device, "true"))).outcome).toEqual({ type: "exited", code: 0 });
  machine.does("keybound-agent journal --verify");
  const again = await desk.receipt(device, await send(desk, device));
  expect(again.outcome).toMatchObject({ type: "refused", code: "update-older" });
});
