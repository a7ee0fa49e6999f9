/**
 * Signs a release folder: `npm run sign-release -- --key FILE [--key FILE] [--folder DIR]`.
 *
 * Writes release.json, which agents and clients check, and nothing else of the folder is changed: the same files and keys make the same
 * bytes. KEYBOUND_SIGN_SUMS names a program that signs the file which is its one argument, SHA256SUMS, for people with tools of
 * their own: it must leave SHA256SUMS.asc (GPG) or SHA256SUMS.minisig beside it. With --public it prints a key's public half only.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { toBase64url } from "../protocol/bytes.ts";
import { readRelease, releaseKeys, signRelease } from "../protocol/release.ts";
import { epochS } from "./package/epoch.ts";
import { releaseFiles, SUMS } from "./release/files.ts";
import { readReleaseKey } from "./release/key.ts";

const FOLDER = join(import.meta.dirname, "../dist/packages");

function main(): void {
  const { values } = parseArgs({
    options: {
      key: { type: "string", multiple: true, default: [] },
      folder: { type: "string", default: FOLDER },
      public: { type: "boolean", default: false },
    },
  });
  const signers = values.key.map(readReleaseKey);
  if (signers.length === 0)
    throw new Error("no key\nhint: --key FILE; openssl genpkey -algorithm ed25519 -out FILE makes one");
  const publicKeys = signers.map(({ publicKey }) => toBase64url(publicKey));
  if (values.public) return publicKeys.forEach((key) => console.log(key));
  const { folder } = values;
  const { version } = manifest;
  const files = [...releaseFiles(folder, version)];
  const envelope = signRelease({ version, builtAt: epochS() * 1000, files }, signers);
  readRelease(envelope, releaseKeys(publicKeys));
  writeFileSync(join(folder, "release.json"), envelope);
  console.log(
    `${join(folder, "release.json")}: ${version}, ${files.length} files, signed by ${signers.map(({ key }) => key).join(", ")}`,
  );
  signSums(folder, process.env["KEYBOUND_SIGN_SUMS"]);
}

function signSums(folder: string, program: string | undefined): void {
  if (program === undefined) return;
  const sums = join(folder, SUMS);
  const before = readFileSync(sums, "utf8");
  const made = [`${sums}.asc`, `${sums}.minisig`];
  for (const file of made) rmSync(file, { force: true });
  execFileSync(program, [sums], { stdio: "inherit" });
  if (readFileSync(sums, "utf8") !== before) throw new Error(`${program} changed ${sums}`);
  const signatures = made.filter((file) => existsSync(file));
  if (signatures.length === 0) throw new Error(`${program} left neither ${made.join(" nor ")}`);
  for (const file of signatures) console.log(file);
}

try {
  main();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
