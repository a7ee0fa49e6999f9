// Help, faults and completion: every command ends its help in an example, every fault has its words.
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { buildCli } from "../../operator/cli/cli.ts";
import { completionScript } from "../../operator/cli/completion.ts";
import { FAULTS, Fault } from "../../operator/fault.ts";
import { VERSION } from "../../operator/version.ts";
import { REFUSALS } from "../../protocol/refusal.ts";
import { execFileSync } from "node:child_process";
import { nobody } from "./nobody.ts";

const world = (said: string[]) => nobody((text) => said.push(text));

function commandsOf(command: Command, path = "keybound"): readonly (readonly [string, Command])[] {
  const inner = command.commands.flatMap((one) => commandsOf(one, `${path} ${one.name()}`));
  return [[path, command], ...inner];
}

const cli = buildCli(world([]), () => undefined);

describe("help", () => {
  test.each(commandsOf(cli))("of %s ends in an example of it", async (path, _command) => {
    const said: string[] = [];
    const args = [...path.split(" ").slice(1), "--help"];
    await expect(buildCli(world(said), () => undefined).parseAsync(args, { from: "user" })).rejects.toThrow(
      "outputHelp",
    );
    const lines = said.join("").trimEnd().split("\n");
    expect(lines.at(-1)).toMatch(/^ {2}\$ /);
    expect(lines.filter((line) => line.startsWith("  $ ")).join("\n")).toContain(path);
  });

  test("takes no passphrase as an argument", () => {
    const options = commandsOf(cli).flatMap(([, command]) => command.options.flatMap(({ long }) => long ?? []));
    expect([...new Set(options.filter((option) => option.includes("passphrase")))].toSorted()).toEqual([
      "--file-passphrase-file",
      "--new-passphrase-file",
      "--old-passphrase-file",
      "--passphrase-fd",
      "--passphrase-file",
      "--passphrase-only",
      "--recovery-passphrase-file",
    ]);
  });

  test("names the version that package.json has", () => {
    expect(VERSION).toBe(manifest.version);
  });
});

describe("faults", () => {
  test.each(Object.entries(FAULTS))("%s has a sentence and a hint", (_code, { says, hint }) => {
    expect([/^[a-z].*[^.]$/.test(says), /([^.]|\.\.\.)$/.test(hint)]).toEqual([true, true]);
  });

  test("share no code with refusals", () => {
    expect(Object.keys(FAULTS).filter((code) => Object.hasOwn(REFUSALS, code))).toEqual([]);
  });

  test("say code and detail", () => {
    expect(new Fault("device-unknown", "web9").message).toBe("device-unknown: web9");
  });
});

describe("completion", () => {
  test.each(["bash", "zsh", "fish"])("for %s knows the commands and their options", (shell) => {
    const script = completionScript(cli, shell);
    expect(script).toContain("devices");
    expect(script).toContain("wait-timeout");
  });

  test("for bash completes a command and its option", () => {
    const script = completionScript(cli, "bash");
    const ask = `${script}\nCOMP_WORDS=(keybound devices adm); COMP_CWORD=2; _keybound; echo "\${COMPREPLY[@]}"\nCOMP_WORDS=(keybound run --wait-t); COMP_CWORD=2; _keybound; echo "\${COMPREPLY[@]}"`;
    expect(execFileSync("bash", ["-c", ask], { encoding: "utf8" })).toBe("admit\n--wait-timeout\n");
  });

  test("for bash asks the program for the names of scripts", () => {
    const program = `keybound() { [ "$*" = "script list --names" ] && echo restart-service rotate-logs; }`;
    const ask = `${program}\n${completionScript(cli, "bash")}\nCOMP_WORDS=(keybound script run rest); COMP_CWORD=3; _keybound; echo "\${COMPREPLY[@]}"`;
    expect(execFileSync("bash", ["-c", ask], { encoding: "utf8" })).toBe("restart-service\n");
  });

  test("for another shell is misuse", () => {
    expect(() => completionScript(cli, "tcsh")).toThrow("misuse");
  });
});
