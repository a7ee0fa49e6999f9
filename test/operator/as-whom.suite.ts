// `keybound run` as another user, and of scripts from other systems: the operator's program, a real relay, a real agent that is root.
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectDone, OperatorHouse } from "./house.ts";

let house: OperatorHouse;

beforeAll(async () => {
  house = await OperatorHouse.open();
  expectDone(await house.init());
  await house.agent("agent", await house.package("acme.json", ["--group", "web"]));
});

afterAll(() => house[Symbol.asyncDispose]());

const run = (...words: readonly string[]) => house.unlocked(["run", "--all", ...words]);

describe.runIf(process.getuid?.() === 0)("keybound run", () => {
  test("with --user shows that user's output", async () => {
    expect(expectDone(await run("--user", "daemon", "--", "id -un; echo $HOME")).stdout).toBe("daemon\n/usr/sbin\n");
  });

  test("with --user of somebody who is not there fails, and says what to do", async () => {
    const { code, stdout, stderr } = await run("--user", "nobody-by-this-name", "--", "id");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("refused user-absent");
  });

  test("takes one of --user, --as-console and --each-session", async () => {
    const { code, stderr } = await run("--user", "daemon", "--as-console", "--", "id");
    expect([code, stderr]).toEqual([2, expect.stringContaining("cannot be used with")]);
  });

  test.each(["--as-console", "--each-session"])("with %s is refused where nobody is logged on", async (option) => {
    const { code, stdout, stderr } = await run(option, "--", "id");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("refused user-absent");
  });

  test("takes the shell from a script's first line, and Windows' line ends away", async () => {
    const path = house.path("script");
    writeFileSync(path, '#!/bin/bash\r\na=(1 2)\r\necho "${#a[@]}" "$1"\r\n');
    const { stdout, stderr } = expectDone(await run("--script", path, "--", "x"));
    expect(stdout).toBe("2 x\n");
    expect(stderr).toContain("signed with LF in place of CR LF");
  });

  test("shows the interpreter's version as JSON", async () => {
    const { stdout } = expectDone(await run("--json", "--shell", "bash", "--", "sleep 0.5"));
    const { devices } = JSON.parse(stdout);
    expect(devices[0].receipt).toMatchObject({
      interpreter: expect.stringMatching(/bash$/),
      interpreterVersion: expect.stringMatching(/^[0-9]+\./),
    });
  });

  test("answers output that is no text as base64", async () => {
    const { stdout } = expectDone(await run("--json", "--", "printf '\\377\\376a\\0'"));
    expect(JSON.parse(stdout).devices[0].stdout).toMatchObject({ size: 4, base64: "//5hAA==" });
  });
});
