// A tenant's deployment folder under Wine: the line of INSTALL.txt, as it stands there, installs and binds, and so does install.cmd.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Way } from "../../operator/deployment/way.ts";
import { buildMsi, MSI_TOOLS } from "../../scripts/package/windows/msi.ts";
import { needTools } from "../../scripts/package/tools.ts";
import { expectDone, OperatorHouse } from "../operator/house.ts";
import { releaseIn, writeSums } from "../operator/release.ts";
import { until } from "../e2e/program.ts";
import { EPOCH_S } from "./installers.ts";
import { Wine } from "./wine.ts";

const MSI = "keybound-agent-0.1.0-x64.msi";
const MARK = "HKLM\\SOFTWARE\\Keybound\\Deployment";

let house: OperatorHouse;
let pin: string;
let line: string;

beforeAll(async () => {
  needTools(MSI_TOOLS);
  house = await OperatorHouse.open();
  expectDone(await house.init());
  const release = releaseIn(house.path("release"));
  await buildMsi({ version: "0.1.0", epochS: EPOCH_S, file: join(release, MSI) });
  writeSums(release);
  const args = ["package", "--for", "windows", "--out", house.path("acme"), "--release", release, "--json"];
  const made: { readonly pin: string; readonly ways: readonly Way[] } = JSON.parse(
    expectDone(await house.unlocked(args)).stdout,
  );
  pin = made.pin;
  line = made.ways.find(({ tool }) => tool === "msiexec")?.lines[0] ?? "";
});

afterAll(() => house?.[Symbol.asyncDispose]());

describe.each([
  ["the line for msiexec", () => line],
  ["install.cmd", () => "call install.cmd"],
])("%s", (_title, command) => {
  let wine: Wine;
  let known: number;

  beforeAll(async () => {
    wine = Wine.bare();
    // Wine ends its services when no program is left but them.
    wine.start(["ping", "-n", "36000", "127.0.0.1"]);
    known = (await devices()).length;
  });

  afterAll(() => wine?.[Symbol.dispose]());

  /** As somebody has pasted it at a prompt in the folder. Answers the exit code. */
  async function pasted(): Promise<number | null> {
    const file = house.path("pasted.cmd");
    writeFileSync(file, ["@echo off", `cd /d ${Wine.ofLinux(house.path("acme"))}`, command(), ""].join("\r\n"));
    return await wine.start(["cmd", "/c", Wine.ofLinux(file)]).ended();
  }

  it("installs, binds, and the device is in the list", async () => {
    expect(readFileSync(house.path("acme/INSTALL.txt"), "utf8")).toContain(`    ${line}\n`);
    expect(await pasted()).toBe(0);
    await until(async () => (await devices()).length > known, "a device in the list");
  });

  it("run again succeeds, and the owner is the same", async () => {
    expect(await pasted()).toBe(0);
    expect(await query()).toContain(pin);
  });

  /** What says which organisation this was: the agent, and for Intune what the script left. */
  async function query(): Promise<string> {
    if (command() === line) return readFileSync(wine.path("C:\\ProgramData\\Keybound\\state.status.json"), "utf8");
    const program = wine.start(["reg", "query", MARK, "/reg:64"]);
    await program.ended();
    return program.said;
  }
});

async function devices(): Promise<readonly unknown[]> {
  return JSON.parse(expectDone(await house.run(["devices", "--json"])).stdout);
}
