// Questions and tables on a real terminal, made by Python's pty.
import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { atTerminal, type Screen, type Steps } from "./at-terminal.ts";
import { expectDone, OperatorHouse, PASSPHRASE } from "./house.ts";
import { SocketDevice } from "./socket-device.ts";

let house: OperatorHouse;

beforeAll(async () => {
  house = await OperatorHouse.open();
});

afterAll(() => house[Symbol.asyncDispose]());

/** Runs the operator's program on a terminal and types these answers. */
function typed(args: readonly string[], steps: Steps, colour: "NO_COLOR" | "COLOUR" = "NO_COLOR"): Promise<Screen> {
  return atTerminal(house, args, { steps, env: { [colour]: "1" } });
}

test("the first key is made by typing a passphrase twice, after weak ones were explained, and nothing typed is shown", async () => {
  const claim = house.relay.claimCode ?? "";
  const args = ["init", "--relay", house.url, "--claim", claim, "--org", "Acme", "--name", "Ada"];
  const { code, screen, left } = await typed(args, [
    ["New passphrase:", "acme2026\r"],
    ["Too easy to guess: it is found within", ""],
    ["New passphrase:", `${PASSPHRASE}\r`],
    ["The same once more:", `${PASSPHRASE}\r`],
    ["I have read this", "y\r"],
    ["Make a recovery file now?", "n\r"],
    ["type the words: no recovery file", "no recovery file\r"],
  ]);
  expect([code, left]).toEqual([0, 0]);
  expect(screen).toMatch(/setup code {2}KB1-/);
  expect(screen).not.toContain("acme2026");
  expect(screen).not.toContain(PASSPHRASE);
});

test("a passphrase that is typed differently the second time makes nothing", async () => {
  const home = house.path("second");
  const args = ["init", "--relay", house.url, "--claim", "X", "--org", "Other", "--name", "Eve", "--home", home];
  const { code, screen } = await typed(args, [
    ["New passphrase:", `${PASSPHRASE}\r`],
    ["The same once more:", `${PASSPHRASE}x\r`],
  ]);
  expect([code, existsSync(home)]).toEqual([1, false]);
  expect(screen).toContain("keybound: passphrase-differs: ");
});

test("devices answer in a table that goes away, and their equal results stand together, unable to steer the terminal", async () => {
  const { file } = await house.package("acme.json");
  const devices = [];
  for (const word of ["web1", "web2"]) {
    devices.push(await SocketDevice.enrol(house.url, { file, word, host: `${word}.example` }));
  }
  const running = typed(["run", "--on", "web1,web2", "--", "true"], [["Passphrase:", `${PASSPHRASE}\r`]]);
  for (const device of devices) {
    const job = await device.job();
    device.take(job);
    await device.answer(job, "\u001b[31mred\n");
  }
  const { code, screen } = await running;
  expect(code).toBe(0);
  expect(screen).toContain("web[1-2] (2): exited 0\r\n");
  expect(screen).toContain("\\u{1b}[31mred");
  await Promise.all(devices.map((device) => device.close()));
});

test("a result is coloured on a terminal, unless NO_COLOR asks for none", async () => {
  const [newest]: { job: string }[] = JSON.parse(expectDone(await house.run(["jobs", "--json"])).stdout);
  const show = ["job", "show", newest?.job ?? ""];
  expect((await typed(show, [], "COLOUR")).screen).toContain("\u001b[32mweb[1-2] (2): exited 0\u001b[0m");
  expect((await typed(show, [])).screen).not.toContain("\u001b[32m");
  expect(expectDone(await house.run(show)).stdout).not.toContain("\u001b[32m");
});

test("a removal asks, and a no changes nothing", async () => {
  const { code, screen } = await typed(
    ["devices", "remove", "web1"],
    [
      ["Passphrase:", `${PASSPHRASE}\r`],
      ["Remove it?", "n\r"],
    ],
  );
  expect(code).toBe(1);
  expect(screen).toContain("keybound: not-confirmed: ");
  const rows: { name?: string }[] = JSON.parse(expectDone(await house.run(["devices", "--json"])).stdout);
  expect(rows.map(({ name }) => name)).toEqual(["web1", "web2"]);
});
