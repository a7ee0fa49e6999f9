// An installed agent with versions beside it, started by the real starter: each "node" here says which version it is and does as told.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type Versions, versionsOf } from "../../agent/update/versions.ts";
import { folder } from "./bound.ts";
import { type Conduct, PACKAGED } from "./version-cases.ts";

const STARTER = join(import.meta.dirname, "../../packaging/unix/start");
/** What is done by it where it is asked to prove itself; one that is damaged is not asked. */
const PROVING: Partial<Record<Conduct, string>> = {
  proves:
    'mv "$versions/trial" "$versions/current.new"; echo "$mine" > "$versions/current"; rm "$versions/current.new"; exit 0',
  exits: "exit 1",
  spins: "while :; do :; done",
  "kills itself": "kill -9 $$",
};

const NAMING: Partial<Record<Conduct, string>> = {
  "does not say its name": "exit 139",
  "hangs when asked for its name": "while :; do :; done",
};

export class InstalledVersions {
  readonly program = join(folder(), "agent");
  readonly versions = join(this.program, "versions");
  /** For the starter, beside the test's own. */
  env: Readonly<Record<string, string>> = {};

  constructor() {
    mkdirSync(this.program);
    this.#fill(this.program, PACKAGED, "exits");
    writeFileSync(join(this.program, "version"), `${PACKAGED}\n`);
    // The waits of a test are short; everything else is as it ships.
    const starter = Object.entries({ trial_s: 1, name_s: 1, quick_looks: 2 }).reduce(
      (text, [name, value]) => text.replace(new RegExp(`^${name}=\\d+$`, "m"), `${name}=${value}`),
      readFileSync(STARTER, "utf8"),
    );
    writeFileSync(join(this.program, "start"), starter, { mode: 0o755 });
  }

  /** As a process of this version sees it; of the packaged one where it is that. */
  seenBy(version: string): Versions {
    const own = version === PACKAGED ? this.program : join(this.versions, version);
    return versionsOf(join(own, "keybound-agent.cjs"), { platform: process.platform, running: version });
  }

  place(version: string, conduct: Conduct = "proves"): void {
    this.fill(join(this.versions, version), version, conduct);
  }

  fill(into: string, version: string, conduct: Conduct): void {
    mkdirSync(into, { recursive: true });
    this.#fill(into, version, conduct);
  }

  write(name: string, text: string): void {
    mkdirSync(this.versions, { recursive: true });
    writeFileSync(join(this.versions, name), text);
  }

  read(name: string): string | undefined {
    const path = join(this.versions, name);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  /** Starts by this shell, and answers which version ran in the end, and what the starter said. */
  start(shell: readonly string[], ...args: readonly string[]): { readonly ran: string; readonly said: string } {
    const [program = "", ...first] = shell;
    const words = [...first, join(this.program, "start"), ...args];
    const env = { ...process.env, ...this.env };
    const { stdout, stderr } = spawnSync(program, words, { encoding: "utf8", timeout: 50_000, env });
    return { ran: stdout.trim(), said: stderr };
  }

  #fill(into: string, version: string, conduct: Conduct): void {
    const script = `#!/bin/sh
versions=${this.versions}
mine=${version}
case "$*" in
  *--version*) ${NAMING[conduct] ?? 'echo "keybound-agent $mine"'} ;;
  *--prove*) ${PROVING[conduct] ?? "exit 1"} ;;
  *) echo "$mine" ;;
esac
`;
    writeFileSync(join(into, "node"), script, { mode: 0o755 });
    chmodSync(join(into, "node"), 0o755);
    writeFileSync(join(into, "keybound-agent.cjs"), "");
    if (conduct === "has no node") rmSync(join(into, "node"));
    if (conduct === "has no bundle") rmSync(join(into, "keybound-agent.cjs"));
  }
}
