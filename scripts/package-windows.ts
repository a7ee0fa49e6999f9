/**
 * `npm run package:windows`: the installer of this version for Windows x64, and its hash beside it, in dist/.
 *
 * KEYBOUND_SIGN_WINDOWS names a program that signs the file which is its one argument, in its place (Authenticode).
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { VERSION } from "../agent/version.ts";
import { buildMsi } from "./windows-msi.ts";

const DIST = join(import.meta.dirname, "../dist");
const version = VERSION.text.replace("keybound-agent ", "");

const MSI = `keybound-agent-${version}-x64.msi`;

if (import.meta.main) {
  try {
    mkdirSync(DIST, { recursive: true });
    const file = join(DIST, MSI);
    const signer = process.env["KEYBOUND_SIGN_WINDOWS"];
    const sign = (unsigned: string) => void execFileSync(String(signer), [unsigned], { stdio: "inherit" });
    await buildMsi({ version, file, ...(signer === undefined ? {} : { sign }) });
    const bytes = readFileSync(file);
    const hash = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(`${file}.sha256`, `${hash}  ${basename(file)}\n`);
    console.log(`dist/${MSI} ${(bytes.length / 1024 / 1024).toFixed(1)} MiB\nsha256 ${hash}`);
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
