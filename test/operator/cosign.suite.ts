// Two people for one job: a real relay, a real agent, and the program as a process for each of three people.
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readEnvelope } from "../../protocol/envelope.ts";
import { readManifest } from "../../protocol/job.ts";
import { atTerminal } from "./at-terminal.ts";
import { expectDone, OperatorHouse, PASSPHRASE } from "./house.ts";
import { SocketDevice } from "./socket-device.ts";
import { type Colleague, cosign, founder, hire, rejectAll, signersOfCritical, verdict, waiting } from "./staff.ts";

let house: OperatorHouse;
let ada: Colleague;
let grace: Colleague;
let bob: Colleague;
let web: SocketDevice;

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init(["--no-recovery-file"]));
  ada = await founder(house);
  grace = await hire(house, ada, { name: "Grace", role: "admin" });
  bob = await hire(house, ada, { name: "Bob", role: "operator" });
  await signersOfCritical(2, [ada, grace]);
  const db = await house.package("db.json", ["--class", "critical"]);
  const { file } = await house.package("web.json");
  await house.agent("agent", db);
  web = await SocketDevice.enrol(house.url, { file, word: "web1", host: "web1.example" });
  await house.pending(2);
  expectDone(await house.unlocked(["devices", "name", "web1", "front1"]));
  const critical = (await members()).find((one) => one.class === "critical");
  expectDone(await house.unlocked(["devices", "name", critical?.name ?? "", "db1"]));
}, 240_000);

afterAll(async () => {
  await web.close();
  await house[Symbol.asyncDispose]();
});

async function members(): Promise<readonly { readonly name: string; readonly id: string; readonly class: string }[]> {
  const rows: { name?: string; id: string; class: string }[] = JSON.parse(
    expectDone(await house.run(["devices", "--json"])).stdout,
  );
  return rows.flatMap(({ name, id, class: of }) => (name === undefined ? [] : [{ name, id, class: of }]));
}

/** Proposes a job for db1 by this person, and answers its id. */
async function proposed(who: Colleague, command: readonly string[], over: readonly string[] = []): Promise<string> {
  const { stdout } = expectDone(await who.unlocked(["run", "--on", "db1", "--detach", ...over, "--", ...command]));
  return stdout.trim();
}

type Shown = { readonly signers: readonly string[]; readonly devices: readonly { readonly result: string }[] };

/** The job as it is once every device has answered. */
async function answered(who: Colleague, job: string): Promise<Shown> {
  for (let attempt = 0; attempt < 60; attempt++) {
    const shown: Shown = JSON.parse((await who.run(["job", "show", job, "--json"])).stdout);
    if (shown.devices.every(({ result }) => result !== "waiting")) return shown;
    await sleep(500);
  }
  throw new Error(`no answer to ${job}`);
}

async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 60; attempt++) {
    const found = await ask();
    if (found !== undefined) return found;
    await sleep(300);
  }
  throw new Error("it never came");
}

describe("a job for devices that ask for two", () => {
  test("is proposed, and runs once a colleague has seen and signed it", async () => {
    const marker = house.path("ran");
    const script = `printf 'x' >> ${marker} # \u001b[2Jnothing\u00a0more`;
    const args = ["--env", "GREETING=hello", "--label", "backup", "--timeout", "5m"];
    const detached = expectDone(await ada.unlocked(["run", "--on", "db1", "--detach", ...args, "--", script]));
    const job = detached.stdout.trim();
    expect(detached.stderr).toBe(`db1 asks for 2 signatures: Grace or Bob must co-sign: keybound cosign ${job}\n`);
    expect(verdict(await ada.run(["job", "show", job]))).toEqual([1, "job-unknown"]);
    expect(existsSync(marker)).toBe(false);
    const [row] = await waiting(bob);
    expect(row).toMatchObject({ job, signers: ["Ada"], needed: 2, what: "a job for db1" });

    const { stdout, stderr } = expectDone(await cosign(bob, job.slice(0, 8)));
    expect(stdout).toBe(`${job}\n`);
    expect(stderr).toContain("devices     db1 (critical)\n");
    expect(stderr).toContain("variable    GREETING=hello\n");
    expect(stderr).toContain("label       backup\n");
    expect(stderr).toContain("limits      ended after 5 minutes; ");
    expect(stderr).toContain(`  | printf 'x' >> ${marker} # \\u{1b}[2Jnothing\\u{a0}more\n`);
    expect(stderr).not.toContain("\u001b");
    const shown = await answered(ada, job);
    expect([shown.signers, shown.devices.map(({ result }) => result)]).toEqual([["Ada", "Bob"], ["answered"]]);
    expect(readFileSync(marker, "utf8")).toBe("x");
    expect(await waiting(grace)).toEqual([]);
  });

  test("is waited for, until a colleague has signed and its devices have answered", async () => {
    const running = ada.unlocked(["run", "--on", "db1", "--", "echo out; echo err >&2"]);
    const { job } = await eventually(async () => (await waiting(grace))[0]);
    expectDone(await cosign(grace, job));
    const { code, stdout, stderr } = await running;
    expect([code, stdout]).toEqual([0, "out\n"]);
    expect(stderr).toMatch(/^db1 asks for 2 signatures: [^\n]+\nerr\n$/);
  });

  test("that a colleague rejects is waited for no longer", async () => {
    const running = ada.unlocked(["run", "--on", "db1", "--", "true"]);
    const { job } = await eventually(async () => (await waiting(grace))[0]);
    expectDone(await grace.run(["cosign", job, "--reject", "--yes"]));
    const { code, stderr } = await running;
    expect([code, stderr]).toEqual([1, expect.stringContaining("the job for db1 waits no more")]);
  });

  test("goes on waiting where nobody waits for it any more", async () => {
    const ran = await ada.unlocked(["run", "--on", "db1", "--wait-timeout", "1s", "--", "true"]);
    expect([ran.code, ran.stdout]).toEqual([1, ""]);
    const [row] = await waiting(grace);
    expect(ran.stderr.trimEnd().split("\n").at(-1)).toContain(`must co-sign: keybound cosign ${row?.job}`);
    expect(verdict(await cosign(ada, row?.job ?? ""))).toEqual([1, "signed-already"]);
  });

  test("is signed by nobody who says no", async () => {
    const [row] = await waiting(grace);
    const { code, screen } = await atTerminal(house, ["cosign", row?.job ?? ""], {
      env: { KEYBOUND_HOME: grace.home, NO_COLOR: "1" },
      steps: [
        ["Passphrase:", `${PASSPHRASE}\r`],
        ["Sign this?", "n\r"],
      ],
    });
    expect([code, screen]).toEqual([1, expect.stringContaining("keybound: not-confirmed: ")]);
    expect((await waiting(grace))[0]?.signers).toEqual(["Ada"]);
    await rejectAll(ada);
  });

  test("and for others is split: the others get theirs at once", async () => {
    const { stdout } = expectDone(await ada.unlocked(["run", "--all", "--detach", "--json", "--", "true"]));
    const sent: { jobs: string[]; targets: string[]; proposals: { targets: string[]; needed: number; job: string }[] } =
      JSON.parse(stdout);
    expect([sent.jobs.length, sent.targets]).toEqual([1, ["front1", "db1"]]);
    expect(sent.proposals).toMatchObject([{ targets: ["db1"], needed: 2 }]);
    const taken = await web.job();
    expect(taken.manifest.job).toBe(sent.jobs[0]);
    expect(taken.manifest.batch).toHaveLength(22);
    await rejectAll(ada);
  });

  test("that asks for more people than there are is refused before it is proposed", async () => {
    await signersOfCritical(4, [ada, grace]);
    const ran = await ada.unlocked(["run", "--on", "db1", "--detach", "--", "true"]);
    expect(verdict(ran)).toEqual([1, "signers-missing"]);
    expect(ran.stderr).toContain("db1: 4 must sign, 3 can");
    await signersOfCritical(2, [ada, grace]);
  });

  test("with one signature is refused by the device, whoever submits it", async () => {
    const marker = house.path("half");
    const job = await proposed(ada, [`touch ${marker}`]);
    const [row] = await waiting(grace);
    await ada.hand(async ({ client }) => {
      const ask = { type: "read-proposal", proposal: row?.proposal ?? "" };
      const { parts } = await client.ask("proposal-record", ask);
      const { targets, batch, expiresAt } = readManifest(readEnvelope(parts[0] ?? new Uint8Array(0)).payload);
      await client.ask("ok", { type: "submit", job, batch, expiresAt, targets, watch: false }, parts);
    });
    const { devices } = await answered(ada, job);
    expect(devices).toMatchObject([
      { result: "answered", receipt: { outcome: { type: "refused", code: "signers-few" } } },
    ]);
    expect(existsSync(marker)).toBe(false);
  });
});
