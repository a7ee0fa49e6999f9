// `--file`: which of its colons parts the two places, and what is said before a passphrase is asked for.
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Fault } from "../../operator/fault.ts";
import { localFiles, splitFile } from "../../operator/files/file-options.ts";
import { sealedPartAt, sealFile } from "../../operator/files/seal-file.ts";
import { fromBase64url } from "../../protocol/bytes.ts";
import { digest } from "../../protocol/digest.ts";
import { BLOB_PART_BYTES, MAX_FILE_BYTES } from "../../protocol/limits.ts";
import { openStream } from "../../protocol/stream.ts";
import { contentOf } from "../cast/job-file.ts";
import { seeded } from "../cast/random.ts";

const folder = mkdtempSync(join(tmpdir(), "keybound-files-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, content: Uint8Array = contentOf(10)): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const faultOf = (act: () => unknown) => {
  try {
    act();
    return "none";
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
};

describe("LOCAL[:REMOTE]", () => {
  test.each([
    ["linux", "a.txt", "a.txt", undefined],
    ["linux", "a.txt:b.txt", "a.txt", "b.txt"],
    ["linux", "a.txt:/etc/a.txt", "a.txt", "/etc/a.txt"],
    ["linux", "a.txt:C:\\app\\a.txt", "a.txt", "C:\\app\\a.txt"],
    ["linux", "a:/etc/a", "a", "/etc/a"],
    ["win32", "C:\\files\\a.txt", "C:\\files\\a.txt", undefined],
    ["win32", "C:\\files\\a.txt:D:\\app\\a.txt", "C:\\files\\a.txt", "D:\\app\\a.txt"],
    ["win32", "a.txt:/etc/a.txt", "a.txt", "/etc/a.txt"],
  ] as const)("on %s, %s is %s to %s", (platform, spec, local, remote) => {
    expect(splitFile(spec, platform)).toEqual({ local, remote });
  });

  test.each([
    [":/etc/a", "misuse"],
    ["a.txt:", "misuse"],
    ["a.txt:sub/a.txt", "misuse"],
    ["a.txt:/etc/../a", "misuse"],
    ["absent.txt", "file-missing"],
    [folder, "file-missing"],
  ])("%s is refused with %s", (spec, code) => {
    written("a.txt");
    const named = spec.startsWith("a.txt") ? `${folder}/${spec}` : spec;
    expect(faultOf(() => localFiles({ file: [named] }, "linux"))).toBe(code);
  });

  test("larger than a job may bring is refused before it is read", () => {
    const path = written("large.bin");
    truncateSync(path, MAX_FILE_BYTES + 1);
    expect(faultOf(() => localFiles({ file: [path] }, "linux"))).toBe("file-large");
  });

  test("of a program stays one, unless a mode was given", () => {
    const path = written("tool");
    chmodSync(path, 0o755);
    expect(localFiles({ file: [path] }, "linux")[0]?.mode).toBe(0o700);
    expect(localFiles({ file: [path], fileMode: 0o644 }, "linux")[0]?.mode).toBe(0o644);
  });
});

async function sealed(size: number) {
  const path = written(`sealed-${size}`, contentOf(size));
  const [local] = localFiles({ file: [path] }, "linux");
  if (local === undefined) throw new Error("no file");
  return { path, made: await sealFile(local, seeded(`seal ${size}`)) };
}

describe("a sealed file", () => {
  test.each([0, 1, 65_536, 4 * 65_536, 4 * 65_536 + 1, 600_000])("of %i bytes opens from its parts", async (size) => {
    const { made } = await sealed(size);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < made.size; at += BLOB_PART_BYTES) parts.push(await sealedPartAt(made, at));
    const whole = new Uint8Array(Buffer.concat(parts));
    expect([whole.length, digest(whole)]).toEqual([made.size, made.entry.blob]);
    const opened = openStream(fromBase64url(made.entry.key) ?? new Uint8Array(0), whole);
    expect(Buffer.compare(opened ?? new Uint8Array(1), contentOf(size))).toBe(0);
    expect(digest(contentOf(size))).toBe(made.entry.sha256);
  });

  test("is not sent any more once the file has changed", async () => {
    const { path, made } = await sealed(300_000);
    writeFileSync(path, contentOf(300_000).toReversed());
    await expect(sealedPartAt(made, 0)).rejects.toMatchObject({ code: "file-changed" });
  });

  test("is not sent any more once the file is shorter", async () => {
    const { path, made } = await sealed(300_001);
    writeFileSync(path, contentOf(10));
    await expect(sealedPartAt(made, 0)).rejects.toMatchObject({ code: "file-changed" });
  });
});
