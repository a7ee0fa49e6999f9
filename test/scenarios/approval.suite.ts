// A newcomer and an admin on the telephone, each at a terminal: six digits that only the two of them see alike.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Company, PASSPHRASE } from "./company.ts";

const SLOW = 120_000;

let acme: Company;
let pin = "";

beforeAll(async () => {
  acme = await Company.open();
  pin = await acme.found("ada");
}, SLOW);

afterAll(() => acme[Symbol.asyncDispose]());

/** A newcomer at a terminal, up to the point where they wait to be called. */
async function askingAt(who: string) {
  const terminal = acme.at(who, "key", "create", "--relay", acme.url, "--pin", pin, "--name", who);
  await terminal.answers("New passphrase:", PASSPHRASE);
  await terminal.answers("The same once more:", PASSPHRASE);
  await terminal.answers("I have read this", "y");
  await terminal.answers("Make a recovery file now?", "n");
  await terminal.answers("type the words: no recovery file", "no recovery file");
  await terminal.sees("waiting to be called");
  return terminal;
}

/** The digits on a requester's screen. */
async function digitsOn(terminal: Awaited<ReturnType<typeof askingAt>>): Promise<string> {
  const [, first, last] = await terminal.sees(/(\d{3}) (\d{3})\n/);
  return `${first} ${last}`;
}

describe("a newcomer", () => {
  test(
    "is approved by the six digits that both see, and uses the key at once",
    async () => {
      const grace = await askingAt("grace");
      expect(grace.screen).toMatch(/code {8}([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}/);
      expect(grace.screen).toMatch(/setup code {2}KB1-/);
      expect(grace.screen).toContain("▄");
      const ada = acme.at("ada", "key", "approve", "grace", "--role", "admin", "--no-wait");
      await ada.answers("Passphrase:", PASSPHRASE);
      await ada.sees("grace asks to become an admin");
      await grace.sees("ada takes up your request");
      await ada.answers("Six digits that grace reads out to you:", await digitsOn(grace));
      await ada.sees("grace is an admin now");
      await grace.answers("Did ada tell you that the digits were right?", "y");
      await grace.sees("grace's key is active in Acme");
      expect([await grace.ended(), await ada.ended()]).toEqual([0, 0]);
      expect(await acme.does("grace", "package", "--out", acme.path("by-grace.json"))).toContain("wrote");
    },
    SLOW,
  );

  test(
    "is not approved by other digits, and every admin sees that somebody may stand between",
    async () => {
      const eve = await askingAt("eve");
      const ada = acme.at("ada", "key", "approve", "eve");
      await ada.answers("Passphrase:", PASSPHRASE);
      const digits = await digitsOn(eve);
      await ada.answers("Six digits that eve reads out to you:", digits.startsWith("000") ? "111111" : "000000");
      await ada.sees("keybound: code-differs");
      expect(await ada.ended()).toBe(1);
      const people: { operators: { name: string }[] } = await acme.reads("grace", "status");
      expect(people.operators.map(({ name }) => name)).not.toContain("eve");
      await eve.pressesCtrlC();
      await eve.sees("the request waits");
    },
    SLOW,
  );

  test(
    "who went away is approved by the code that they have kept",
    async () => {
      const { code } = await acme.asks("bob", pin);
      const other = code.replace(/^.{5}/, code.startsWith("00000") ? "11111" : "00000");
      const unlocking = ["--passphrase-file", acme.path("passphrase")];
      const wrong = await acme.run("ada", ["key", "approve", "bob", "--code", other, ...unlocking]);
      expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("keybound: code-differs")]);
      await acme.does("ada", "key", "approve", "bob", "--code", code.toLowerCase().replaceAll("-", " "), "--no-wait");
      expect(await acme.does("bob", "package", "--out", acme.path("by-bob.json"))).toContain("wrote");
    },
    SLOW,
  );

  test(
    "can be rejected, is told so, and may ask again",
    async () => {
      const { code } = await acme.asks("hugo", pin);
      const list: { name: string }[] = await acme.reads("ada", "key", "requests");
      expect(list.map(({ name }) => name)).toContain("hugo");
      expect((await acme.run("ada", ["key", "reject", "hugo", "--yes"])).code).toBe(0);
      const asked = await acme.run("hugo", ["key", "request", "--passphrase-file", acme.path("passphrase")]);
      expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining("request-rejected")]);
      const again = ["key", "forgot", "--yes", "--acknowledge", "--no-recovery-file", "--no-wait", "--json"];
      const next: { code: string } = JSON.parse(await acme.does("hugo", ...again));
      expect(next.code).not.toBe(code);
      await acme.does("ada", "key", "approve", "hugo", "--role", "auditor", "--code", next.code, "--no-wait");
    },
    SLOW,
  );
});

test(
  "two admins who approve two people at one time both succeed",
  async () => {
    const [one, two] = [await acme.asks("ines", pin), await acme.asks("jon", pin)];
    await Promise.all([
      acme.does("ada", "key", "approve", "ines", "--code", one.code, "--no-wait"),
      acme.does("grace", "key", "approve", "jon", "--code", two.code, "--no-wait"),
    ]);
    for (const who of ["ines", "jon"])
      expect(await acme.does(who, "package", "--out", acme.path(who + ".json"))).toContain("wrote");
  },
  SLOW,
);
