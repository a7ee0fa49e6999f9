// What `keybound run`'s options bound, and what a receipt says of it.
import { expect, test } from "vitest";
import { resultWords } from "../../operator/present/result-words.ts";
import { type Program, readBodyOptions } from "../../operator/jobs/run-request.ts";
import { readReceipt } from "../../protocol/receipt.ts";
import { device } from "../cast/device.ts";
import { jobFor } from "../cast/job.ts";
import { ReceiptChain } from "../cast/receipts.ts";
import { Tenant } from "../cast/tenant.ts";
import { raw } from "../cast/person.ts";
import { nobody } from "./nobody.ts";

const MIB = 1024 * 1024;
const TRUE: Program = { shell: "sh", source: "true", args: [], env: [] };

test("options become limits of the body", async () => {
  const options = { endAtOutput: 9, maxProcesses: 3, maxMemory: 64 * MIB, priority: "low", leave: true };
  expect(await readBodyOptions(nobody(), TRUE, options)).toMatchObject({
    limits: { endAtOutputBytes: 9, processes: 3, memoryBytes: 64 * MIB, priority: "low" },
    leave: true,
  });
});

test("without them the body says nothing of it", async () => {
  const { limits, ...body } = await readBodyOptions(nobody(), TRUE, {});
  expect({ limits: Object.keys(limits), leave: "leave" in body }).toEqual({
    limits: ["timeMs", "outputBytes"],
    leave: false,
  });
});

test.each([
  [{ maxMemory: MIB }, "--max-memory"],
  [{ maxProcesses: 40_000 }, "--max-processes"],
  [{ timeout: 8 * 86_400_000 }, "--timeout"],
])("%j is a misuse that names its option", async (options, option) => {
  await expect(readBodyOptions(nobody(), TRUE, options)).rejects.toMatchObject({
    code: "misuse",
    detail: expect.stringContaining(option),
  });
});

test("a result says what was left behind and what was not enforced", () => {
  const acme = new Tenant();
  const web1 = device("web1");
  const job = jobFor({ tenant: acme, devices: [web1] });
  const over = { contained: "left", unenforced: ["processes"] };
  const { bytes } = new ReceiptChain(web1, acme).answer({ job, over });
  const read = readReceipt(bytes, { sig: raw(web1.signer), tenant: acme.id });
  expect(resultWords({ type: "answered", ...read, output: [] })).toBe(
    "exited 0; it left processes running, as signed; not enforced there: processes",
  );
});
