// Archives of updates: exactly the files that they list are unpacked, and of anything else nothing.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { unpackUpdate } from "../../agent/update/unpack-update.ts";
import { TarReader } from "../../agent/update/read-tar.ts";
import { packUpdate } from "../../scripts/package/pack-update.ts";
import { type TarFile, tarOf } from "../../scripts/package/tar.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { contentOf, fileFor } from "../cast/job-file.ts";
import { flipped } from "../cast/statement.ts";
import { folder } from "./bound.ts";

const NODE: TarFile = { name: "node", mode: 0o755, content: contentOf(200_000) };
const FILES: readonly TarFile[] = [
  NODE,
  { name: "keybound-agent.cjs", mode: 0o644, content: contentOf(700) },
  { name: "keybound-agent-inventory.cjs", mode: 0o644, content: contentOf(512) },
  { name: "empty", mode: 0o644, content: new Uint8Array(0) },
];
const SUMS: TarFile = { name: "SHA256SUMS", mode: 0o644, content: new Uint8Array(0) };

/** What is unpacked of these bytes, and the code of the refusal where there is one. */
async function unpacked(
  archive: Uint8Array,
  { sealedAs = (bytes: Uint8Array) => bytes, signal = new AbortController().signal } = {},
) {
  const { file, sealed } = fileFor({ path: "update", content: archive });
  const at = folder();
  const path = join(at, "sealed");
  const into = join(at, "into");
  writeFileSync(path, sealedAs(sealed));
  const made = { disk: at, makeFolder: () => (mkdirSync(into), into) };
  let error: unknown;
  await unpackUpdate({ sealed: path, file, platform: "linux-x64", signal }, made).catch(
    (thrown: unknown) => (error = thrown),
  );
  if (error !== undefined && !(error instanceof Refusal)) throw error;
  return { code: error?.code ?? "unpacked", detail: error?.detail, into, isMade: existsSync(into) };
}

/** A tar with these files, whatever they are, and sums of the honest ones. */
const tarred = (files: readonly TarFile[], change = (tar: Uint8Array) => tar) =>
  zstdCompressSync(change(tarOf(files, 0)));

/** The archive's own tar, changed and packed again. */
function repacked(change: (tar: Uint8Array) => Uint8Array): Uint8Array {
  const honest = packUpdate(FILES, 0);
  return zstdCompressSync(change(tarIn(honest)));
}

function tarIn(archive: Uint8Array): Uint8Array {
  const { zstdDecompressSync } = process.getBuiltinModule("node:zlib");
  return new Uint8Array(zstdDecompressSync(archive));
}

/** A field of the first header that has this name, with the header's sum made to fit. */
function inHeader(name: string, { at, bytes }: { readonly at: number; readonly bytes: Uint8Array }) {
  return (tar: Uint8Array): Uint8Array => {
    const copy = Buffer.from(tar);
    const start = Buffer.from(tar).indexOf(`${name}\0`);
    copy.set(bytes, start + at);
    copy.fill(" ", start + 148, start + 156);
    const sum = copy.subarray(start, start + 512).reduce((all, byte) => all + byte, 0);
    copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, start + 148);
    return copy;
  };
}

const ascii = (text: string) => Buffer.from(text, "latin1");

describe("an archive of an update", () => {
  it("is unpacked to exactly its files, with their modes and their sums beside them", async () => {
    const { code, into } = await unpacked(packUpdate(FILES, 1_700_000_000));
    expect(code).toBe("unpacked");
    expect(readdirSync(into).toSorted()).toEqual(["SHA256SUMS", ...FILES.map(({ name }) => name)].toSorted());
    for (const { name, content, mode } of FILES) {
      expect(Buffer.compare(readFileSync(join(into, name)), content)).toBe(0);
      expect(statSync(join(into, name)).mode & 0o7777).toBe(mode);
    }
  });

  it("is the same bytes from the same files, in whatever order they are given", () => {
    expect(Buffer.compare(packUpdate(FILES, 7), packUpdate(FILES.toReversed(), 7))).toBe(0);
  });

  it("reads as a tar in cuts of any length", () => {
    const tar = tarIn(packUpdate(FILES, 0));
    const inCuts = (length: number) => {
      const reader = new TarReader();
      const seen: string[] = [];
      for (let at = 0; at < tar.length; at += length)
        for (const event of reader.read(tar.subarray(at, at + length)))
          if (event.type === "file") seen.push(`${event.name} ${event.size}`);
      reader.end();
      return seen;
    };
    expect(inCuts(1)).toEqual(inCuts(tar.length));
    expect(inCuts(511)).toEqual(inCuts(1000));
  });

  it.each([
    ["is no zstd", "no zstd", contentOf(1000)],
    ["is cut in its compressed bytes", "no zstd, or cut", packUpdate(FILES, 0).subarray(0, -200)],
    ["is no tar", "no ustar header", zstdCompressSync(contentOf(10_000))],
    ["is empty", "not its first file", zstdCompressSync(new Uint8Array(1024))],
    ["has no end", "cut before its end", repacked((tar) => tar.subarray(0, -1024))],
    ["has files after its end", "a file after the end", repacked((tar) => Buffer.concat([tar, tarOf([NODE], 0)]))],
    ["has no sums", "not its first file", tarred(FILES)],
    ["has sums of other files", "not those of", tarred([SUMS, ...FILES])],
    [
      "has a file more than it lists",
      "not those of",
      repacked((tar) => Buffer.concat([tar.subarray(0, -1024), tarOf([{ ...NODE, name: "more" }], 0)])),
    ],
    ["has a file of other content than it lists", "not those of", repacked((tar) => flipped(tar, 512 * 4 + 512 * 2))],
    ["has no Node", "no node", packUpdate(FILES.slice(1), 0)],
    ["has a name twice but for case", "one name twice", packUpdate([...FILES, { ...NODE, name: "NODE" }], 0)],
    ["leads out of its folder", "a file named ../up", repacked(inHeader("empty", { at: 0, bytes: ascii("../up") }))],
    ["has an absolute path", "a file named /temp", repacked(inHeader("empty", { at: 0, bytes: ascii("/temp") }))],
    ["has a folder by a prefix", "no regular file", repacked(inHeader("empty", { at: 345, bytes: ascii("usr") }))],
    ["has a link", "no regular file", repacked(inHeader("empty", { at: 156, bytes: ascii("2/etc/passwd") }))],
    ["has a folder", "no regular file", repacked(inHeader("empty", { at: 156, bytes: ascii("5") }))],
    ["has a device", "no regular file", repacked(inHeader("empty", { at: 156, bytes: ascii("3") }))],
    ["has a file that is set-uid", "of mode 4755", repacked(inHeader("empty", { at: 100, bytes: ascii("0004755") }))],
    [
      "has a size that is no number",
      "without a number",
      repacked(inHeader("empty", { at: 124, bytes: ascii("\x80zzzzzzzzzz") })),
    ],
    [
      "has a size beyond the whole",
      "cut before its end",
      repacked(inHeader("node", { at: 124, bytes: ascii("77777777777") })),
    ],
    ["has a header whose sum is wrong", "sum does not fit", repacked((tar) => flipped(tar, 3))],
    [
      "has more files than an update may",
      "more than 32 files",
      packUpdate(
        Array.from({ length: 32 }, (_, at) => ({ ...NODE, name: `n${at}`, content: new Uint8Array(1) })),
        0,
      ),
    ],
  ] as const)("that %s is refused: %s", async (_what, detail, archive) => {
    const refused = await unpacked(archive);
    expect(refused).toMatchObject({ code: "update-archive", isMade: false });
    expect(refused.detail).toContain(detail);
  });

  it("that unpacks to more than an update may be is refused without being held", async () => {
    // 600 MiB of zeros take some kilobytes.
    const huge = { ...NODE, content: new Uint8Array(600 * 1024 * 1024) };
    expect(await unpacked(zstdCompressSync(tarOf([SUMS, huge], 0)))).toMatchObject({
      code: "update-archive",
      isMade: false,
    });
  });

  it.each([0, 70_000, -1])(
    "of which byte %i came otherwise than it was sealed is refused with file-digest",
    async (at) => {
      const archive = packUpdate(FILES, 0);
      const changed = await unpacked(archive, {
        sealedAs: (sealed) => flipped(sealed, Math.min(at, sealed.length - 1)),
      });
      expect(changed).toMatchObject({ code: "file-digest", isMade: false });
    },
  );

  it("is let go of when the update is ended", async () => {
    await expect(unpacked(packUpdate(FILES, 0), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});
