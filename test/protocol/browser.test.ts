// The protocol in a browser: the same verdicts from a bundle that knows nothing of Node.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { bundleForBrowser } from "../../scripts/build.ts";
import { device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { person } from "../cast/person.ts";
import { flipped } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { type BrowserCase, judgeJob } from "./browser-judge.ts";

const ENTRY = "test/protocol/browser-entry.ts";
const bundle = await bundleForBrowser(ENTRY);
// What a page has and a bare JavaScript context lacks; no `process`, no `require`, no `Buffer`.
const page = createContext({ TextEncoder, TextDecoder, crypto: globalThis.crypto });
runInContext(bundle, page);

const tenant = new Tenant();
const [web, mail] = [device("web-1"), device("mail-1")];

function caseOf(setup: Partial<Parameters<typeof jobFor>[0]> = {}): BrowserCase {
  const job = jobFor({ tenant, devices: [web], ...setup });
  return {
    log: tenant.log.map((entry) => entry.toBase64()),
    envelope: job.envelope.toBase64(),
    wrap: (job.wraps[0] ?? new Uint8Array(0)).toBase64(),
    body: job.body.toBase64(),
    device: web.id,
    sealingKey: web.sealing.privateKey.toBase64(),
    now: tenant.clock.now,
  };
}

function judgedInPage(given: BrowserCase): unknown {
  return runInContext(`judgeJob(${JSON.stringify(given)})`, page);
}

describe("the bundle", () => {
  test("holds every file of the protocol but Node's primitives", () => {
    const source = readFileSync(join(import.meta.dirname, "browser-judge.ts"), "utf8");
    const files = globSync("*.ts", { cwd: join(import.meta.dirname, "../../protocol") });
    expect(files.filter((file) => !source.includes(`../../protocol/${file}"`))).toEqual([]);
  });

  test("reaches for nothing of Node's", () => {
    expect(bundle).not.toMatch(/["']node:|\brequire\(|\bprocess\.|\bBuffer\b/);
  });
});

const plain = caseOf();
const cases: readonly (readonly [verdict: string, given: BrowserCase])[] = [
  ["echo hello\n", plain],
  ["signer-unknown", caseOf({ signers: [person("Mallory").signer] })],
  ["device-other", caseOf({ devices: [mail] })],
  ["job-expired", { ...plain, now: plain.now + 86_400_000 }],
  ["field-unknown", caseOf({ manifest: { extra: 1 } })],
  ["body-sealed", { ...plain, body: flipped(Uint8Array.fromBase64(plain.body), 3).toBase64() }],
  ["envelope-json", { ...plain, envelope: plain.envelope.slice(4) }],
];

describe("a job is judged there as here", () => {
  test.each(cases)("%j", (verdict, given) => {
    expect(judgedInPage(given)).toBe(verdict);
    expect(judgeJob(given)).toBe(verdict);
  });
});
