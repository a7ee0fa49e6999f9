// Fetching a file: read once, sealed to its readers, on its way over cuts, and an answer for whatever is no file.
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { pathsIn } from "../../agent/paths.ts";
import { concat } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { fetchedKey } from "../../protocol/output.ts";
import { WRAP_BYTES } from "../../protocol/limits.ts";
import { unwrapKey } from "../../protocol/seal.ts";
import { openStream } from "../../protocol/stream.ts";
import { jobFor } from "../cast/job.ts";
import { contentOf } from "../cast/job-file.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, receiptsOf } from "./bound.ts";
import { startDaemon, stateFolder } from "./daemon-on.ts";
import { SmallRelay } from "./small-relay.ts";

/** A device that is asked for this file, until it has answered. */
async function scene(path: string, { readers = true } = {}) {
  const acme = new Tenant();
  const relay = await SmallRelay.open([acme]);
  const { path: at, state } = stateFolder();
  bindTo(state, acme, { deployment: { relays: [relay.url] } });
  const device = deviceOf(state);
  const job = jobFor({ tenant: acme, devices: [device], fetches: path, ...(readers ? {} : { readers: [] }) });
  const { wrap, body } = job.sealedFor(device);
  relay.greeting = [[{ type: "job", job: job.job, watched: false }, [job.envelope, wrap, body]]];
  const start = () => startDaemon(at, state, { now: () => acme.clock.now });
  const answered = () => vi.waitFor(() => expect(receiptsOf(state)).toHaveLength(1), { timeout: 8000, interval: 20 });
  const sent = () =>
    vi.waitFor(() => expect(relay.said.filter(({ header }) => header["type"] === "receipt")).toHaveLength(1), {
      timeout: 8000,
      interval: 20,
    });
  const receipt = () => {
    const [first] = receiptsOf(state);
    if (first === undefined) throw new Error("no receipt");
    return first.receipt;
  };
  /** The result as it came in parts. */
  const result = () =>
    concat(
      ...relay.said
        .filter(({ header }) => header["type"] === "result-part")
        .map(({ parts }) => parts[0] ?? new Uint8Array(0)),
    );
  return { acme, relay, job, start, answered, sent, receipt, result, paths: pathsIn(at) };
}

type Scene = Awaited<ReturnType<typeof scene>>;

/** Salt and content, opened by the founder. */
async function opened({ acme, receipt, result }: Scene): Promise<Uint8Array> {
  const sealed = result();
  const { statement } = receipt();
  const pair = acme.founder.sealing;
  const key = await fetchedKey(async (wrap, use) => unwrapKey(wrap, { pair, use }), sealed, { statement, place: 0 });
  const plain = openStream(key, sealed.subarray(WRAP_BYTES));
  if (plain === undefined) throw new Error("it does not open");
  return plain;
}

function written(content: Uint8Array): string {
  const path = join(folder(), "app.log");
  writeFileSync(path, content);
  chmodSync(path, 0o640);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  return path;
}

describe("a file that is fetched", () => {
  it.each([0, 1, 65_504, 65_505, 400_000])("of %i bytes comes whole, and the receipt says what it is", async (size) => {
    const content = contentOf(size);
    const at = await scene(written(content));
    at.start();
    await at.sent();
    const plain = await opened(at);
    expect(Buffer.compare(plain.subarray(32), content)).toBe(0);
    expect(at.receipt()).toMatchObject({
      outcome: { type: "fetched", size, sha256: digest(plain), mode: 0o640, modifiedAt: 1_700_000_000_000 },
      output: [],
      result: { sha256: digest(at.result()), size: at.result().length },
      contained: "yes",
    });
    await vi.waitFor(() => expect(readdirSync(at.paths.fetched)).toEqual([]));
  });

  it("goes on where the relay has it after a cut", async () => {
    const at = await scene(written(contentOf(900_000)));
    let isCut = false;
    at.relay.answer = ({ header }) => {
      if (header["type"] === "stat-result") return { type: "result-stat", received: isCut ? 524_288 : 0 };
      if (header["type"] !== "result-part" || isCut || Number(header["offset"]) < 524_288) return undefined;
      isCut = true;
      return "close";
    };
    at.start();
    await at.sent();
    const offsets = at.relay.said
      .filter(({ header }) => header["type"] === "result-part")
      .map(({ header }) => header["offset"]);
    expect(offsets).toEqual([0, 262_144, 524_288, 524_288, 786_432]);
  });

  it("is still there to be sent when the agent is started anew", async () => {
    const at = await scene(written(contentOf(900_000)));
    at.relay.answer = ({ header }) => (header["type"] === "result-part" ? "close" : undefined);
    const first = at.start();
    await at.answered();
    await first.stop();
    at.relay.answer = () => undefined;
    at.relay.greeting = [];
    at.relay.said.splice(0);
    at.start();
    await at.sent();
    expect(digest(at.result())).toBe(at.receipt().result?.sha256);
  });
});

describe("what is no file", () => {
  it.each([
    ["is not there", () => join(folder(), "absent"), "ENOENT"],
    ["is a folder", () => folder(), "NOT_A_FILE"],
    [
      "is a pipe",
      () => {
        const path = join(folder(), "pipe");
        execFileSync("mkfifo", [path]);
        return path;
      },
      "NOT_A_FILE",
    ],
    [
      "is a link",
      () => {
        const path = join(folder(), "link");
        symlinkSync("/etc/hostname", path);
        return path;
      },
      "ELOOP",
    ],
    [
      "is reached by a link",
      () => {
        const base = folder();
        mkdirSync(join(base, "real"));
        writeFileSync(join(base, "real", "app.log"), "content");
        symlinkSync(join(base, "real"), join(base, "link"));
        return join(base, "link", "app.log");
      },
      "ELOOP",
    ],
    ["is larger than was asked for", () => written(contentOf(1024 * 1024 + 1)), "TOO_LARGE"],
  ])("because it %s is answered without a result", async (_what, made, error) => {
    const at = await scene(made());
    at.start();
    await at.sent();
    expect(at.receipt().outcome).toEqual({ type: "fetch-failed", error });
    expect([at.receipt().result, existsSync(at.paths.fetched) ? readdirSync(at.paths.fetched) : []]).toEqual([
      undefined,
      [],
    ]);
  });

  it("or a file that nobody may read is not read", async () => {
    const at = await scene(written(contentOf(10)), { readers: false });
    at.start();
    await at.sent();
    expect(at.receipt().outcome).toEqual({ type: "fetch-failed", error: "NO_READER" });
  });
});
