/** What stands in two places of the packages is the same in both: the version, and the settings that may not reach the agent. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VERSION } from "../../agent/version.ts";
import { VERSION as CLIENTS } from "../../operator/version.ts";
import manifest from "../../package.json" with { type: "json" };
import { VERSION as RELAYS } from "../../relay/version.ts";

const read = (path: string) => readFileSync(join(import.meta.dirname, "../..", path), "utf8");
const wordsAfter = (text: string, start: RegExp) =>
  [...text.matchAll(start)].flatMap(([, words]) => String(words).split(" ")).toSorted();

test("the packages bear the versions that their programs say", () => {
  const { version } = manifest;
  expect([VERSION.text, CLIENTS, RELAYS]).toEqual([`keybound-agent ${version}`, version, version]);
});

test("the starter forgets what the unit forgets", () => {
  const unit = wordsAfter(read("packaging/systemd/keybound-agent.service"), /^UnsetEnvironment=(.*)$/gm);
  expect(wordsAfter(read("packaging/unix/start"), /^unset (.*)$/gm)).toEqual(unit);
});

test("the launcher and the unit start the agent by the same starter", () => {
  const [, service] = /^ExecStart=(.*) run$/m.exec(read("packaging/systemd/keybound-agent.service")) ?? [];
  const [, launcher] = /^exec (.*) "\$@"$/m.exec(read("packaging/linux/keybound-agent")) ?? [];
  expect([launcher, service]).toEqual([service, "/usr/libexec/keybound-agent/start"]);
});

test("the relay's unit starts the file that packaging/README.md installs", () => {
  const [, started] = /^ExecStart=(\S+) serve /m.exec(read("packaging/systemd/keybound-relay.service")) ?? [];
  const [, installed] = /install -m 0755 keybound-relay-\S+ (\S+)$/m.exec(read("packaging/README.md")) ?? [];
  expect(started).toBe(installed);
});
