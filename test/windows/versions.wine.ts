// The service host's choice of a version, under Wine: the cases that hold for the starter of Linux and macOS, and who else could write.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Conduct, expected, PACKAGED, played, type Stand, VERSION_CASES } from "../agent/version-cases.ts";
import { Wine } from "./wine.ts";

const ROOT = join(import.meta.dirname, "../..");
const SERVICE = join(ROOT, "packaging/windows/service");
const PROGRAMS = join(import.meta.dirname, "programs");
const LEFT_OUT = new Set(["host.c", "event-log.c", "install.c", "stop.c", "remove.c", "person.c"]);
const LIBRARIES = ["-ladvapi32", "-lshell32", "-lole32", "-luuid"];

const built = mkdtempSync(join(tmpdir(), "keybound-choose-"));
let wine: Wine;
let count = 0;

/** Everything of it is as it ships but how long it waits and where its words go. */
function compile(target: string, sources: readonly string[]): void {
  const flags = ["-municode", "-std=c17", "-O1", "-static", "-DTRIAL_MS=4000", "-DNAME_MS=4000", `-I${SERVICE}`];
  execFileSync("x86_64-w64-mingw32-gcc", [...flags, "-o", target, ...sources, ...LIBRARIES], { stdio: "inherit" });
}

beforeAll(() => {
  wine = Wine.bare();
  const parts = globSync("*.c", { cwd: SERVICE }).filter((name) => !LEFT_OUT.has(name));
  compile(join(built, "choose.exe"), [join(PROGRAMS, "choose.c"), ...parts.map((name) => join(SERVICE, name))]);
  compile(join(built, "node.exe"), [join(PROGRAMS, "version.c")]);
});

afterAll(() => {
  wine?.[Symbol.dispose]();
  rmSync(built, { recursive: true, force: true });
});

/** An installed agent of its own in this Windows. */
class Installed implements Stand {
  readonly #program = `C:\\program-${count++}`;

  constructor() {
    this.#fill(this.#program, PACKAGED, "exits");
    copyFileSync(join(built, "choose.exe"), wine.path(`${this.#program}\\choose.exe`));
    writeFileSync(wine.path(`${this.#program}\\version`), `${PACKAGED}\n`);
  }

  at(name: string): string {
    return wine.path(`${this.#program}\\versions\\${name}`);
  }

  place(version: string, conduct: Conduct): void {
    this.#fill(`${this.#program}\\versions\\${version}`, version, conduct);
  }

  write(name: string, text: string): void {
    mkdirSync(this.at(""), { recursive: true });
    writeFileSync(this.at(name), text);
  }

  read(name: string): string | undefined {
    return existsSync(this.at(name)) ? readFileSync(this.at(name), "utf8") : undefined;
  }

  async startBy(who: "person" | "service") {
    const program = wine.start([`${this.#program}\\choose.exe`, who]);
    if ((await program.ended()) !== 0) throw new Error(program.said);
    const [, said = "", folder = ""] = /^([^]*)chose (.*?)\s*$/.exec(program.said) ?? [];
    const ran = folder === this.#program ? PACKAGED : folder.slice(`${this.#program}\\versions\\`.length);
    return { ran, said };
  }

  #fill(folder: string, version: string, conduct: Conduct): void {
    const into = wine.path(folder);
    mkdirSync(into, { recursive: true });
    const lacking = { "has no node": "node.exe", "has no bundle": "keybound-agent.cjs" };
    writeFileSync(join(into, "conduct.txt"), `${version} ${conduct}\n`);
    copyFileSync(join(built, "node.exe"), join(into, "node.exe"));
    for (const name of ["keybound-agent.cjs", "keybound-job-launcher.exe"]) writeFileSync(join(into, name), "");
    for (const [which, name] of Object.entries(lacking)) if (which === conduct) rmSync(join(into, name));
  }
}

it.each(VERSION_CASES)("$title", async (one) => {
  expect(await played(new Installed(), one)).toEqual(expected(one));
});

it("does not start a version without its launcher", async () => {
  const on = new Installed();
  on.place("0.2.0", "proves");
  on.write("current", "0.2.0\n");
  rmSync(on.at("0.2.0\\keybound-job-launcher.exe"));
  expect(await on.startBy("service")).toEqual({ ran: PACKAGED, said: expect.stringContaining("0.2.0 is damaged") });
});

describe("uses no update where", () => {
  it.each<readonly [what: string, harm: (on: Installed) => void]>([
    ["its folder is writable by others", (on) => chmodSync(on.at(""), 0o777)],
    ["one of the small files is", (on) => chmodSync(on.at("current"), 0o666)],
    ["a version's folder is", (on) => chmodSync(on.at("0.2.0"), 0o777)],
    ["a version's Node is", (on) => chmodSync(on.at("0.2.0\\node.exe"), 0o777)],
    ["a version that is not even looked at is", (on) => (on.place("0.3.0", "exits"), chmodSync(on.at("0.3.0"), 0o777))],
    ["a stranger owns its folder", (on) => chownSync(on.at(""), 1000, 1000)],
    ["a stranger owns a bundle", (on) => chownSync(on.at("0.2.0\\keybound-agent.cjs"), 1000, 1000)],
  ])("%s", async (_what, harm) => {
    const on = new Installed();
    on.place("0.2.0", "proves");
    on.write("current", "0.2.0\n");
    expect((await on.startBy("service")).ran).toBe("0.2.0");
    harm(on);
    expect(await on.startBy("service")).toEqual({ ran: PACKAGED, said: expect.stringContaining("no update is used") });
  });
});
