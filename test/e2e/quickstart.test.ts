// The quickstart as a user runs it: it tells the story, fails where a refusal does not come, and leaves nothing behind.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHANGED } from "../../scripts/quickstart/attacks.ts";
import { performQuickstart } from "../../scripts/quickstart/perform.ts";
import { expectRefused } from "../../scripts/quickstart/scene.ts";
import { until } from "./program.ts";

const SCRIPT = join(import.meta.dirname, "../../scripts/quickstart.ts");
const CODES = ["signature-bad", "job-repeated", "device-other", "job-expired", "signer-unknown"];

type Performance = { readonly child: ChildProcess; out: string; err: string; readonly ended: Promise<number | null> };

const started: ChildProcess[] = [];

function quickstart(...args: readonly string[]): Performance {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const performance: Performance = { child, out: "", err: "", ended };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (performance.out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (performance.err += text));
  return performance;
}

/** The folder in which it plays; empty before it has said so. */
function folderIn(out: string): string {
  return /\$ cd (\S+)/.exec(out)?.[1] ?? "";
}

class Collected extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("utf8");
    done();
  }
}

afterAll(() => {
  for (const child of started) if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
});

describe("the quickstart", () => {
  let whole: Performance;
  let code: number | null;
  let other: { readonly code: number; readonly out: string; readonly err: string };

  // Both at once, as two people on one machine might.
  beforeAll(async () => {
    whole = quickstart();
    const [out, err] = [new Collected(), new Collected()];
    const wrong = [{ ...CHANGED, code: "job-expired" as const }];
    const signal = new AbortController().signal;
    const otherCode = await performQuickstart({ out, err, env: process.env, keep: false, signal, attacks: wrong });
    other = { code: otherCode, out: out.text, err: err.text };
    code = await whole.ended;
  }, 90_000);

  it("ends with 0 once all of it was so, and says how long that took", () => {
    expect([code, whole.err]).toEqual([0, ""]);
    expect(whole.out).toMatch(/\nAll of it held: .* in \d+\.\d s\.\n$/);
  });

  it("runs a real job, and shows its verified receipt", () => {
    expect(whole.out).toMatch(/\(1\): exited 0\n(.*\n)+? {3}receipt {4}\S+ 1, /);
  });

  it.each(CODES)("shows the refusal %s as the device answered it", (refusal) => {
    expect(whole.out).toMatch(new RegExp(`refused\\s+(code )?${refusal}[^\\n]*\\n(.*\\n)*? {3}refused: ${refusal}\n`));
  });

  it("shows commands that a user could type, and no colours where nobody looks", () => {
    expect(whole.out).toMatch(/\$ keybound run --all --passphrase-file passphrase -- '/);
    expect(whole.out).not.toContain("\u001b[");
  });

  it("leaves no folder", () => {
    expect([folderIn(whole.out) === "", existsSync(folderIn(whole.out))]).toEqual([false, false]);
  });

  it("ends with 1 where a refusal is not the one that is due, and says which it was", () => {
    expect(other.code).toBe(1);
    expect(other.err).toContain(
      "quickstart failed: the device should have refused this with job-expired, but it was refused with signature-bad\n",
    );
  });

  it("shows the ends of the logs where it failed, and leaves no folder either", () => {
    expect(other.err).toMatch(/\nthe end of desk.out:\n {2}\{.*"code":"signature-bad"/s);
    expect(existsSync(folderIn(other.out))).toBe(false);
  });
});

it("takes a job that was accepted for no refusal", () => {
  const shown = "     5  2026-01-05T09:00:00Z  accepted  job 3fQx  signers Ada  statement refused-never\n";
  expect(() => expectRefused(shown, "job-repeated")).toThrow("but it refused nothing");
});

it("clears up when it is stopped in the middle, and more than once", async () => {
  const stopped = quickstart();
  await until(() => stopped.out.includes("$ keybound init"), "the second step");
  stopped.child.kill("SIGTERM");
  stopped.child.kill("SIGINT");
  await until(() => stopped.err !== "" || stopped.child.exitCode !== null, "its last word");
  stopped.child.kill("SIGTERM");
  expect(await stopped.ended).toBe(1);
  // Signals that wait together are handed over in no promised order.
  expect(stopped.err).toMatch(/quickstart was stopped \(SIG(TERM|INT)\), and has cleared up/);
  expect([folderIn(stopped.out) === "", existsSync(folderIn(stopped.out))]).toEqual([false, false]);
}, 30_000);

it("does not take an option that it does not know", async () => {
  const odd = quickstart("--loud");
  expect([await odd.ended, odd.err]).toEqual([2, expect.stringContaining("hint: npm run quickstart -- --help")]);
});
