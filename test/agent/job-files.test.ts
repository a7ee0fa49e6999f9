// Files of a job, from a relay to their places: whole or not at all, checked before they are used, gone afterwards.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { digest } from "../../protocol/digest.ts";
import { DAY } from "../cast/clock.ts";
import { jobFor } from "../cast/job.ts";
import { contentOf, fileFor } from "../cast/job-file.ts";
import { person } from "../cast/person.ts";
import { flipped } from "../cast/statement.ts";
import { Tenant } from "../cast/tenant.ts";
import { bindTo, deviceOf, folder, receiptsOf } from "./bound.ts";
import { startDaemon, stateFolder } from "./daemon-on.ts";
import { asks, scene } from "./file-scene.ts";
import { SmallRelay } from "./small-relay.ts";

const hex = (content: Uint8Array) => Buffer.from(digest(content), "base64url").toString("hex");

describe("a job with a file", () => {
  it("finds it in its own folder, which is gone afterwards", async () => {
    const { give, start, answered, output, content, paths, job, outcomes } = await scene();
    give();
    start();
    await answered();
    expect(outcomes()).toEqual([{ type: "exited", code: 0 }]);
    expect((await output()).split("\n").slice(0, 3)).toEqual([
      join(paths.placed, job.job),
      "patch.bin",
      `${hex(content)}  -`,
    ]);
    expect([existsSync(join(paths.placed, job.job)), readdirSync(paths.files)]).toEqual([false, []]);
  });

  it("finds it where the body says, with its mode", async () => {
    const place = join(folder(), "tool");
    const { give, start, answered, content } = await scene({ path: place, mode: 0o750 });
    give();
    start();
    await answered();
    expect(Buffer.compare(readFileSync(place), content)).toBe(0);
    expect(statSync(place).mode & 0o7777).toBe(0o750);
    expect(readdirSync(dirname(place))).toEqual(["tool"]);
  });

  it.skipIf(process.getuid?.() !== 0)("finds it as the user's whom the body names", async () => {
    const place = join(folder(), "tool");
    const { give, start, answered } = await scene({ path: place, owner: "nobody" });
    give();
    start();
    await answered();
    expect(statSync(place).uid).toBe(65534);
  });

  it("finds an empty file", async () => {
    const { give, start, answered, outcomes, output } = await scene({ content: new Uint8Array(0) });
    give();
    start();
    await answered();
    expect(outcomes()).toEqual([{ type: "exited", code: 0 }]);
    expect(await output()).toContain(hex(new Uint8Array(0)));
  });

  it("replaces a link at its place and not what the link leads to", async () => {
    const place = join(folder(), "tool");
    const elsewhere = join(folder(), "elsewhere");
    writeFileSync(elsewhere, "untouched");
    symlinkSync(elsewhere, place);
    const { give, start, answered, content } = await scene({ path: place });
    give();
    start();
    await answered();
    expect([readFileSync(elsewhere, "utf8"), readFileSync(place).length]).toEqual(["untouched", content.length]);
  });

  it("goes on where the line was cut, and asks for no byte twice", async () => {
    const { give, start, answered, relay, sealed, outcomes } = await scene({ content: contentOf(600_000) });
    let isCut = false;
    relay.answer = ({ header }) => {
      if (header["type"] !== "read-blob" || isCut || Number(header["offset"]) < 200_000) return undefined;
      isCut = true;
      return "close";
    };
    give();
    start();
    await answered();
    const offsets = asks(relay).map(({ header }) => Number(header["offset"]));
    const parts = Math.ceil(sealed.length / relay.blobPart);
    expect(offsets.length).toBe(parts + 1);
    expect(new Set(offsets).size).toBe(parts);
    expect(outcomes()).toEqual([{ type: "exited", code: 0 }]);
  });

  it("goes on where it was when the agent is started anew", async () => {
    const { give, start, answered, relay, sealed } = await scene({ content: contentOf(600_000) });
    relay.answer = ({ header }) =>
      header["type"] === "read-blob" && Number(header["offset"]) >= 200_000
        ? { type: "failed", code: "busy", message: "" }
        : undefined;
    give();
    const first = start();
    await vi.waitFor(() => expect(asks(relay).length).toBeGreaterThan(3), { timeout: 5000 });
    await first.stop();
    relay.answer = () => undefined;
    relay.greeting = [];
    relay.said.splice(0);
    start();
    await answered();
    expect(asks(relay)).toHaveLength(Math.ceil(sealed.length / relay.blobPart) - 4);
  });

  it("lets another job pass while its file comes", async () => {
    const { acme, device, relay, job, give, start, answered, outcomes } = await scene();
    relay.answer = ({ header }) =>
      header["type"] === "read-blob" ? { type: "failed", code: "busy", message: "" } : undefined;
    const echo = jobFor({ tenant: acme, devices: [device], word: "echo" });
    give();
    const [[header, parts] = [{}, []]] = relay.greeting;
    relay.greeting = [
      [header, parts],
      [{ type: "job", job: echo.job, watched: false }, [echo.envelope, echo.sealedFor(device).wrap, echo.body]],
    ];
    start();
    await answered();
    expect(outcomes()).toEqual([{ type: "exited", code: 0 }]);
    expect(asks(relay)[0]?.header["job"]).toBe(job.job);
  });
});

describe("a job is refused, and nothing of it is placed", () => {
  it("with file-absent where the relay has not got the file", async () => {
    const { give, start, answered, relay, outcomes } = await scene();
    relay.blobs.clear();
    give();
    start();
    await answered();
    expect(outcomes()).toMatchObject([{ type: "refused", code: "file-absent" }]);
  });

  it("with file-absent where it had not come when the job ended", async () => {
    const { acme, give, start, answered, relay, outcomes } = await scene();
    relay.answer = ({ header }) =>
      header["type"] === "read-blob" ? { type: "failed", code: "busy", message: "" } : undefined;
    give();
    start();
    await vi.waitFor(() => expect(asks(relay)).toHaveLength(1), { timeout: 5000 });
    acme.clock.now += 2 * DAY;
    relay.greeting = [];
    relay.cut();
    await answered();
    expect(outcomes()).toMatchObject([{ type: "refused", code: "file-absent" }]);
  });

  it.each([
    ["one bit is another", (sealed: Uint8Array) => flipped(sealed, 70_000)],
    ["it is longer", (sealed: Uint8Array) => Buffer.concat([sealed, sealed.subarray(0, 1)])],
    ["it is shorter", (sealed: Uint8Array) => sealed.subarray(0, sealed.length - 1)],
    ["there is nothing of it", () => new Uint8Array(0)],
  ])("with file-digest where %s", async (_what, change) => {
    const place = join(folder(), "tool");
    const { give, start, answered, relay, outcomes, file, sealed, paths } = await scene({ path: place });
    relay.blobs.set(file.blob, change(sealed));
    give();
    start();
    await answered();
    expect(outcomes()).toMatchObject([{ type: "refused", code: "file-digest" }]);
    expect([existsSync(place), existsSync(paths.files) ? readdirSync(paths.files) : []]).toEqual([false, []]);
  });

  it.each([
    ["the content is another than was signed", { sha256: digest(contentOf(5)) }],
    ["the key does not open it", { key: digest(contentOf(6)) }],
  ])("with file-digest where %s", async (_what, change) => {
    const place = join(folder(), "tool");
    const { acme, device, give, start, answered, outcomes, file } = await scene({ path: place });
    give(jobFor({ tenant: acme, devices: [device], body: { files: [{ ...file, ...change }] } }));
    start();
    await answered();
    expect(outcomes()).toMatchObject([{ type: "refused", code: "file-digest" }]);
    expect(readdirSync(dirname(place))).toEqual([]);
  });

  it.each([
    ["the folder is not there", (base: string) => join(base, "absent", "tool")],
    [
      "a link leads to the folder",
      (base: string) => {
        mkdirSync(join(base, "real"));
        symlinkSync(join(base, "real"), join(base, "link"));
        return join(base, "link", "tool");
      },
    ],
    [
      "anybody may write to the folder",
      (base: string) => {
        mkdirSync(join(base, "open"));
        chmodSync(join(base, "open"), 0o777);
        return join(base, "open", "tool");
      },
    ],
    [
      "a folder is at the place",
      (base: string) => {
        mkdirSync(join(base, "tool", "full"), { recursive: true });
        return join(base, "tool");
      },
    ],
  ])("with file-place where %s", async (_what, made) => {
    const base = folder();
    const place = made(base);
    const beside = existsSync(dirname(place)) ? readdirSync(dirname(place)) : undefined;
    const { give, start, answered, outcomes } = await scene({ path: place });
    give();
    start();
    await answered();
    expect(outcomes()).toMatchObject([{ type: "refused", code: "file-place" }]);
    expect(existsSync(dirname(place)) ? readdirSync(dirname(place)) : undefined).toEqual(beside);
  });

  it("where one of two cannot be placed, and the other stays away too", async () => {
    const base = folder();
    const { acme, device, relay, give, start, answered, outcomes, file } = await scene({ path: join(base, "good") });
    const bad = fileFor({ path: join(base, "absent", "bad") });
    relay.blobs.set(bad.file.blob, bad.sealed);
    give(jobFor({ tenant: acme, devices: [device], body: { files: [file, bad.file] } }));
    start();
    await answered();
    expect(outcomes()).toMatchObject([{ type: "refused", code: "file-place" }]);
    expect(readdirSync(base)).toEqual([]);
  });

  it("where there is a folder at one of two places, and the other stays away too", async () => {
    const base = folder();
    mkdirSync(join(base, "bad"));
    const { acme, device, relay, give, start, answered, outcomes, file } = await scene({ path: join(base, "good") });
    const bad = fileFor({ path: join(base, "bad") });
    relay.blobs.set(bad.file.blob, bad.sealed);
    give(jobFor({ tenant: acme, devices: [device], body: { files: [file, bad.file] } }));
    start();
    await answered();
    expect(outcomes()).toMatchObject([{ type: "refused", code: "file-place" }]);
    expect(readdirSync(base)).toEqual(["bad"]);
  });

  it("where it is cancelled while its file comes", async () => {
    const place = join(folder(), "tool");
    const { acme, device, relay, job, give, start, answered, outcomes, paths } = await scene({ path: place });
    relay.answer = ({ header }) =>
      header["type"] === "read-blob" && Number(header["offset"]) > 0
        ? { type: "failed", code: "busy", message: "" }
        : undefined;
    give();
    start();
    await vi.waitFor(() => expect(asks(relay)).toHaveLength(2), { timeout: 5000 });
    expect(readdirSync(paths.files)).toEqual([job.job]);
    const cancel = jobFor({ tenant: acme, devices: [device], word: "cancel", cancels: [job] });
    const { wrap, body } = cancel.sealedFor(device);
    relay.push(device.id, { type: "job", job: cancel.job, watched: false }, [cancel.envelope, wrap, body]);
    await answered(2);
    expect(outcomes()[0]).toEqual({ type: "cancelled", by: "operator" });
    expect([existsSync(place), readdirSync(paths.files)]).toEqual([false, []]);
  });

  it("where its signer was revoked while the file came", async () => {
    const acme = new Tenant();
    const grace = person("Grace");
    acme.add(grace);
    const place = join(folder(), "tool");
    const relay = await SmallRelay.open([acme]);
    const { path, state } = stateFolder();
    bindTo(state, acme, { deployment: { relays: [relay.url] } });
    const device = deviceOf(state);
    const made = fileFor({ path: place });
    const job = jobFor({ tenant: acme, devices: [device], signers: [grace.signer], body: { files: [made.file] } });
    relay.greeting = [
      [{ type: "job", job: job.job, watched: false }, [job.envelope, job.sealedFor(device).wrap, job.body]],
    ];
    relay.answer = ({ header }) =>
      header["type"] === "read-blob" ? { type: "failed", code: "busy", message: "" } : undefined;
    startDaemon(path, state, { now: () => acme.clock.now });
    await vi.waitFor(() => expect(asks(relay)).toHaveLength(1), { timeout: 5000 });
    acme.revoke(grace);
    relay.blobs.set(made.file.blob, made.sealed);
    relay.answer = () => undefined;
    relay.greeting = [];
    relay.cut();
    await vi.waitFor(() => expect(receiptsOf(state)).toHaveLength(1), { timeout: 8000 });
    expect(receiptsOf(state)[0]?.receipt.outcome).toEqual({ type: "cancelled", by: "key-revoked" });
    expect(existsSync(place)).toBe(false);
  });
});
