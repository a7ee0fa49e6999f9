// What people do to their keys while devices are away, and what each device makes of it when it comes back. Real relay, agents and clients.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Program } from "../e2e/program.ts";
import { Company } from "./company.ts";

const SLOW = 300_000;
const NEW = "violin harbor twelve gravel onion sprout";

let acme: Company;
let pin = "";
let web: Program;

beforeAll(async () => {
  acme = await Company.open();
  acme.write("new", NEW);
  pin = await acme.found("ada");
  await acme.joins("grace", { pin, by: "ada", role: "admin" });
  await acme.bind("web1", await acme.package("ada", ["--group", "web"]));
  web = await acme.power("web1");
  await pendingDevice();
  await acme.does("ada", "run", "--all", "--", "true");
}, SLOW);

afterAll(() => acme[Symbol.asyncDispose]());

const pendingDevice = () =>
  acme.until(async () => (await acme.reads<unknown[]>("ada", "devices", "--pending")).length === 1, "a device");

const traces = (word: string) => `echo ${word} >> ${acme.path("trace")}; cat ${acme.path("trace")}`;

async function trace(): Promise<string> {
  return (
    await acme.does("grace", "run", "--group", "web", "--", `cat ${acme.path("trace")} 2>/dev/null || true`)
  ).trim();
}

describe("a changed key", () => {
  test(
    "has its owner's jobs for devices that are away signed again, and they run once",
    async () => {
      await web.end();
      await acme.does("ada", "run", "--group", "web", "--detach", "--", traces("again"));
      const passphrases = [
        "--new-passphrase-file",
        acme.path("new"),
        "--acknowledge",
        "--queued",
        "resign",
        "--no-wait",
      ];
      const changed = await acme.does("ada", "key", "change", ...passphrases, "--json");
      expect(JSON.parse(changed)).toEqual(expect.objectContaining({ resigned: 1 }));
      web = await acme.power("web1");
      await acme.until(async () => (await trace()) === "again", "the job to run");
      expect(await trace()).toBe("again");
    },
    SLOW,
  );

  test(
    "keeps its recovery file and lets devices in by packages that were made before it",
    async () => {
      const before = await acme.package("grace");
      acme.write("passphrase-3", "lantern mosaic quiver bamboo tundra wisp");
      const args = ["key", "change", "--passphrase-file", acme.path("new"), "--acknowledge", "--no-wait"];
      const back = await acme.run("ada", [...args, "--new-passphrase-file", acme.path("passphrase")]);
      expect([back.code, back.stdout]).toEqual([0, expect.stringContaining("A recovery file that you had stays good")]);
      await acme.bind("web2", before);
      await acme.power("web2");
      await pendingDevice();
      expect(
        (await acme.run("ada", ["package", "--out", acme.path("x"), "--passphrase-file", acme.path("passphrase")]))
          .stderr,
      ).toContain("which proved its package's token");
    },
    SLOW,
  );
});

describe("a revoked key", () => {
  test(
    "has its queued jobs dead on a device that was away, and the colleagues see who has not heard",
    async () => {
      await acme.joins("mallory", { pin, by: "ada" });
      await web.end();
      await acme.does("mallory", "run", "--on", await nameOf("web1"), "--detach", "--", traces("never"));
      await acme.does("ada", "key", "revoke", "mallory", "--reason", "left", "--yes", "--no-wait");
      const { devices }: { devices: { behind?: unknown; known?: unknown } } = await acme.reads("ada", "status");
      expect(JSON.stringify(devices)).toContain(await nameOf("web1"));
      const late = await acme.run("mallory", [
        "run",
        "--all",
        "--passphrase-file",
        acme.path("passphrase"),
        "--",
        traces("late"),
      ]);
      expect(late.code).toBe(1);
      web = await acme.power("web1");
      await acme.until(
        async () => JSON.stringify(await acme.reads("ada", "devices")).includes('"behind":false'),
        "it hears",
      );
      expect(await trace()).toBe("again");
    },
    SLOW,
  );

  test(
    "of an auditor never signed a job, and a role is another admin's to give",
    async () => {
      await acme.joins("hugo", { pin, by: "ada", role: "auditor" });
      const ran = await acme.run("hugo", ["run", "--all", "--passphrase-file", acme.path("passphrase"), "--", "true"]);
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("signer-role")]);
      await acme.does("grace", "role", "set", "hugo", "operator", "--yes", "--no-wait");
      expect(await acme.does("hugo", "run", "--group", "web", "--", "echo as an operator")).toBe("as an operator\n");
    },
    SLOW,
  );
});

describe("a policy", () => {
  test(
    "has a recovered key wait, and another admin can revoke it meanwhile",
    async () => {
      await acme.does("grace", "policy", "set", "--recovery-delay", "1d", "--yes");
      const files = [
        "--recovery-file",
        acme.path("thief.age"),
        "--recovery-passphrase-file",
        acme.path("file-passphrase"),
      ];
      const args = ["key", "recover", acme.path("ada.age"), "--file-passphrase-file", acme.path("file-passphrase")];
      const given = ["--passphrase-file", acme.path("passphrase"), "--acknowledge"];
      const thief = await acme.run("thief", [...args, ...given, ...files]);
      expect([thief.code, thief.stdout]).toEqual([0, expect.stringContaining("24 h after the device has heard")]);
      const job = await acme.run("thief", [
        "run",
        "--group",
        "web",
        "--passphrase-file",
        acme.path("passphrase"),
        "--",
        traces("thief"),
      ]);
      expect([job.code, job.stderr]).toEqual([1, expect.stringContaining("signer-delayed")]);
      const veto = [
        "key",
        "revoke",
        "grace",
        "--reason",
        "mine",
        "--yes",
        "--passphrase-file",
        acme.path("passphrase"),
      ];
      const robbed = await acme.run("thief", [...veto, "--no-wait"]);
      expect(robbed.stdout + robbed.stderr).toContain("cosign");
      await acme.does("grace", "key", "revoke", "ada", "--reason", "stolen recovery file", "--yes", "--no-wait");
      const { operators }: { operators: { name: string; key: string }[] } = await acme.reads("grace", "status");
      expect(operators.find(({ name }) => name === "ada")?.key).toBe("revoked");
      expect(await trace()).toBe("again");
    },
    SLOW,
  );

  test(
    "can forbid keys of a passphrase alone",
    async () => {
      await acme.does("grace", "policy", "set", "--passphrase-only", "forbid", "--yes");
      const args = [
        "key",
        "create",
        "--relay",
        acme.url,
        "--pin",
        pin,
        "--name",
        "kim",
        "--passphrase-only",
        "--acknowledge",
      ];
      const ran = await acme.run("kim", [...args, "--no-recovery-file", "--passphrase-file", acme.path("passphrase")]);
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("keybound: passphrase-only-forbidden")]);
    },
    SLOW,
  );
});

/** What the roster calls the device of this state folder: both have one host. */
async function nameOf(folder: string): Promise<string> {
  const { stdout } = await acme.agent(["status", "--json", "--state", acme.path(folder)]);
  const id = /"device": ?"([\w-]{43})"/.exec(stdout)?.[1] ?? "";
  const rows: { id: string; name?: string }[] = await acme.reads("ada", "devices");
  return rows.find((row) => row.id === id)?.name ?? "";
}
