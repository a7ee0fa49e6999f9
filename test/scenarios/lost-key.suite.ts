// A forgotten key, from the mildest case to the worst: the recovery file, a colleague, nobody. Real programs, at terminals where a person would be.
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Company, FILE_PASSPHRASE, PASSPHRASE } from "./company.ts";

const SLOW = 300_000;
const NEW = "violin harbor twelve gravel onion sprout";

let acme: Company;
let pin = "";

beforeAll(async () => {
  acme = await Company.open();
  pin = await acme.found("ada");
  await acme.bind("web1", await acme.package("ada", ["--group", "web"]));
  await acme.power("web1");
  await acme.until(async () => (await acme.reads<unknown[]>("ada", "devices", "--pending")).length === 1, "a device");
  await acme.does("ada", "run", "--all", "--", "true");
}, SLOW);

afterAll(() => acme[Symbol.asyncDispose]());

const runs = (who: string, passphraseFile: string) =>
  acme.run(who, ["run", "--group", "web", "--passphrase-file", passphraseFile, "--", "echo obeyed"]);

describe("with a recovery file", () => {
  test(
    "a new key is set at a terminal with nobody's approval, the device obeys it, and the old one is dead",
    async () => {
      const ada = acme.at("ada", "key", "recover", acme.path("ada.age"), "--recovery-file", acme.path("ada-2.age"));
      await ada.answers("Passphrase of the recovery file:", FILE_PASSPHRASE);
      await ada.sees("This file gives ada of Acme a new key");
      await ada.answers("New passphrase:", NEW);
      await ada.answers("The same once more:", NEW);
      await ada.answers("I have read this", "y");
      await ada.answers("Passphrase of the recovery file:", FILE_PASSPHRASE);
      await ada.answers("The same once more:", FILE_PASSPHRASE);
      await ada.sees("ada's new key is active");
      expect(await ada.ended()).toBe(0);
      expect(existsSync(acme.path("ada-2.age"))).toBe(true);
      expect((await runs("ada", acme.path("passphrase"))).stderr).toContain("passphrase-wrong");
      expect(await runs("ada", acme.write("new", NEW))).toEqual({ code: 0, stdout: "obeyed\n", stderr: "" });
    },
    SLOW,
  );

  test(
    "it is used up, a wrong passphrase of it opens nothing, and it signs nothing else",
    async () => {
      const recover = (file: string, filePassphrase: string) => {
        const asked = [
          "--file-passphrase-file",
          acme.path(filePassphrase),
          "--passphrase-file",
          acme.path("passphrase"),
        ];
        const next = ["--acknowledge", "--recovery-passphrase-file", acme.path("file-passphrase")];
        return acme.run("ada", ["key", "recover", acme.path(file), ...asked, ...next]);
      };
      const used = await recover("ada.age", "file-passphrase");
      expect([used.code, used.stderr]).toEqual([1, expect.stringContaining("keybound: recovery-dead: ")]);
      const wrong = await recover("ada-2.age", "passphrase");
      expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("keybound: recovery-passphrase: ")]);
      expect(readFileSync(acme.path("ada-2.age"), "utf8")).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
    },
    SLOW,
  );

  test(
    "the newest file works on a machine that has nothing of the old one",
    async () => {
      const args = ["key", "recover", acme.path("ada-2.age"), "--acknowledge", "--json"];
      const files = [
        "--recovery-file",
        acme.path("ada-3.age"),
        "--recovery-passphrase-file",
        acme.path("file-passphrase"),
      ];
      const given = [
        "--file-passphrase-file",
        acme.path("file-passphrase"),
        "--passphrase-file",
        acme.path("passphrase"),
      ];
      const ran = await acme.run("laptop", [...args, ...files, ...given]);
      expect([ran.code, JSON.parse(ran.stdout)]).toEqual([
        0,
        expect.objectContaining({ name: "ada", setupCode: expect.any(String) }),
      ]);
      expect(await runs("laptop", acme.path("passphrase"))).toEqual({ code: 0, stdout: "obeyed\n", stderr: "" });
      const { setupCode }: { setupCode: string } = JSON.parse(ran.stdout);
      const third = acme.at("desktop", "login", "--relay", acme.url);
      await third.answers("Setup code (KB1-…):", setupCode.toLowerCase());
      await third.answers("Passphrase:", PASSPHRASE);
      await third.sees("ada of Acme: this machine can sign");
      expect((await runs("desktop", acme.path("passphrase"))).stdout).toBe("obeyed\n");
    },
    SLOW,
  );
});

describe("with a colleague", () => {
  test(
    "the next key is approved, and it is used as if nothing had happened",
    async () => {
      await acme.joins("grace", { pin, by: "laptop", role: "admin" });
      const ada = acme.at("laptop", "key", "forgot");
      await ada.sees("keybound key recover FILE");
      await ada.answers("Ask for one?", "y");
      await ada.answers("New passphrase:", NEW);
      await ada.answers("The same once more:", NEW);
      await ada.answers("I have read this", "y");
      await ada.answers("Make a recovery file now?", "n");
      await ada.answers("type the words: no recovery file", "no recovery file");
      await ada.sees("waiting to be called");
      const grace = acme.at("grace", "key", "approve", "ada", "--no-wait");
      await grace.answers("Passphrase:", PASSPHRASE);
      await grace.sees("ada asks for a new key");
      const [, first, last] = await ada.sees(/(\d{3}) (\d{3})\n/);
      await grace.answers("Six digits that ada reads out to you:", `${first}${last}`);
      await grace.sees("ada's new key is active; the old one ended");
      await ada.answers("Did grace tell you that the digits were right?", "y");
      expect([await ada.ended(), await grace.ended()]).toEqual([0, 0]);
      expect((await runs("laptop", acme.write("new", NEW))).stdout).toBe("obeyed\n");
      expect((await runs("desktop", acme.path("passphrase"))).stderr).toContain("passphrase-wrong");
    },
    SLOW,
  );

  test(
    "the two know of one another's keys by status and history",
    async () => {
      const { operators }: { operators: { name: string; role: string; key: string }[] } = await acme.reads(
        "grace",
        "status",
      );
      expect(operators.map(({ name, role, key }) => [name, role, key])).toEqual([
        ["ada", "admin", "active"],
        ["grace", "admin", "active"],
      ]);
      const events: { type: string; actors: { name: string }[] }[] = await acme.reads("grace", "history");
      const types = ["genesis", "operator.recover", "operator.recover", "operator.add", "operator.replace"];
      expect(events.map(({ type }) => type)).toEqual(types);
      expect(events.at(-1)?.actors.map(({ name }) => name)).toEqual(["grace"]);
    },
    SLOW,
  );

  test(
    "the last admin cannot be lost, by anybody's hand",
    async () => {
      const passphrase = ["--passphrase-file", acme.path("passphrase")];
      await acme.does("grace", "key", "revoke", "ada", "--reason", "try", "--yes", "--no-wait");
      const self = await acme.run("grace", ["key", "revoke", "grace", "--reason", "try", "--yes", ...passphrase]);
      expect([self.code, self.stderr]).toEqual([1, expect.stringContaining("log-last-admin")]);
      const role = await acme.run("grace", ["role", "set", "grace", "operator", "--yes", ...passphrase]);
      expect([role.code, role.stderr]).toEqual([2, expect.stringContaining("another admin has to change your role")]);
    },
    SLOW,
  );
});

describe("with nobody", () => {
  test(
    "the organisation begins anew, and each device comes over by its own administrator's hand alone",
    async () => {
      const old = await acme.package("grace");
      const claim = await acme.claim(pin);
      const copy = acme.path("copy.json");
      const grace = acme.at("grace", "tenant", "reset", "--claim", claim, "--copy", copy);
      await grace.sees("its devices (1) are out of reach until each is redeployed");
      await grace.answers("Type the organisation's name in full", "Acme");
      await grace.answers("Do you still know the passphrase", "n");
      await grace.answers("New passphrase:", PASSPHRASE);
      await grace.answers("The same once more:", PASSPHRASE);
      await grace.answers("I have read this", "y");
      await grace.answers("Make a recovery file now?", "n");
      await grace.answers("type the words: no recovery file", "no recovery file");
      await grace.sees("Acme begins anew at epoch 2");
      expect(await grace.ended()).toBe(0);
      const next = await acme.package("grace");
      const here = ["--state", acme.path("web1")];
      const silent = await acme.agent(["bind", next.file, ...here]);
      expect([silent.code, silent.stderr]).toEqual([1, expect.stringContaining("trust-needed")]);
      expect((await acme.bind("web1", next)).stdout).toContain("owner changed: bound to Acme (epoch 2)");
      const again = await acme.agent(["bind", old.file, "--trust", old.pin, ...here]);
      expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("tenant-retired")]);
      await acme.until(
        async () => (await acme.reads<unknown[]>("grace", "devices", "--pending")).length === 1,
        "it asks",
      );
      await acme.does("grace", "tenant", "restore", copy, "--yes");
      expect((await runs("grace", acme.path("passphrase"))).stdout).toBe("obeyed\n");
      const { total, cameOver }: { total: number; cameOver: number } = await acme.reads(
        "grace",
        "devices",
        "--redeploy",
      );
      expect([total, cameOver]).toEqual([1, 1]);
    },
    SLOW,
  );

  test(
    "colleagues of the old organisation are told where they stand",
    async () => {
      const ada = await acme.run("laptop", ["devices"]);
      expect([ada.code, ada.stderr]).toEqual([1, expect.stringMatching(/tenant-reset|signer-unknown|access-expired/)]);
    },
    SLOW,
  );
});
