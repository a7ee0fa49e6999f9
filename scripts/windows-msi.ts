/** Makes the Windows installer: the agent's files, and the tables of packaging/windows/keybound-agent.wxs. The same bytes each time. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleProgram } from "./build.ts";
import { setSummary } from "./msi-summary.ts";
import { buildLauncher, buildServiceHost, COMPILER_HINT, LAUNCHER, SERVICE } from "./windows-launcher.ts";
import { nodeForWindows } from "./windows-node.ts";

const ROOT = join(import.meta.dirname, "..");
const TABLES = join(ROOT, "packaging/windows/keybound-agent.wxs");
const BUNDLES = { "keybound-agent.cjs": "agent/main.ts", "keybound-agent-inventory.cjs": "agent/inventory-main.ts" };
/** Of the files inside and of the installer, whenever it is made. */
const MADE_AT = new Date("2026-01-01T00:00:00Z");

/**
 * Where wixl has no word for it, or puts an action at a wrong place. A service that cannot be installed (0x8000 of its error
 * control, which wixl drops) ends the installation. The version before is removed inside the transaction:
 * when the new one fails, the old one is there again. What a user may say who is no administrator is in
 * SecureCustomProperties; DEPLOYMENT is not, or anybody could bind the device by repairing it.
 */
const STATEMENTS = [
  "UPDATE `ServiceInstall` SET `ErrorControl`=32769",
  ...sequence({ RemoveExistingProducts: 1510, Purge: 3400, Settle: 5810, Bind: 5820, BindBeside: 5830 }),
  "INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('ResolveSource', 'NOT Installed', 850)",
];

type Msi = {
  /** Such as `1.2.3`. */
  readonly version: string;
  /** Where it is written. */
  readonly file: string;
  /** Puts a publisher's signature on a file, in its place. Called for our programs and then for the installer; without it nothing is signed. */
  readonly sign?: (file: string) => void;
};

/** A folder with all that is installed. Throws with what is missing on this machine. */
async function stage(folder: string, sign: Msi["sign"]): Promise<void> {
  copyFileSync(nodeForWindows(), join(folder, "node.exe"));
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE.txt"));
  for (const [bundle, entry] of Object.entries(BUNDLES)) await bundleProgram(entry, join(folder, bundle));
  if (!buildLauncher(folder) || !buildServiceHost(folder)) throw new Error(`no compiler: ${COMPILER_HINT}`);
  for (const program of [LAUNCHER, SERVICE]) sign?.(join(folder, program));
  const legal = readdirSync(folder).filter((name) => name.endsWith(".LEGAL.txt"));
  const texts = legal.toSorted().map((name) => readFileSync(join(folder, name), "utf8"));
  writeFileSync(join(folder, "THIRD-PARTY.txt"), texts.join("\n"));
  for (const name of legal) rmSync(join(folder, name));
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), MADE_AT, MADE_AT);
}

/** Writes the installer. Unsigned, it is the same bytes each time. */
export async function buildMsi({ version, file, sign }: Msi): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "keybound-msi-"));
  try {
    await stage(folder, sign);
    const defines = ["-D", `Version=${version}`, "-D", `ProductCode=${identifier("product", version)}`];
    run("wixl", ["-a", "x64", ...defines, "-o", file, TABLES], folder);
    for (const statement of STATEMENTS) run("msibuild", [file, "-q", statement], folder);
    setSummary(file, { packageCode: `{${identifier("package", version, ...contentOf(folder))}}`, madeAt: MADE_AT });
    sign?.(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function sequence(actions: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(actions).map(
    ([action, at]) => `UPDATE \`InstallExecuteSequence\` SET \`Sequence\`=${at} WHERE \`Action\`='${action}'`,
  );
}

/** What makes one package another. */
function contentOf(folder: string): readonly (string | Uint8Array)[] {
  const files = readdirSync(folder).toSorted();
  return [...files.flatMap((name) => [name, readFileSync(join(folder, name))]), readFileSync(TABLES), ...STATEMENTS];
}

/** A UUID of version 8 (RFC 9562) made of these. */
function identifier(...parts: readonly (string | Uint8Array)[]): string {
  const all = createHash("sha256");
  for (const part of parts) all.update(createHash("sha256").update(part).digest());
  const bytes = all.digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex").toUpperCase();
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function run(program: string, args: readonly string[], cwd: string): void {
  try {
    execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    throw new Error(`no ${program}: apt-get install wixl msitools`, { cause: error });
  }
}
