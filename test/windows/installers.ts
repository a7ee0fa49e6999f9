// Two versions of the Windows installer, made for one file of tests.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildMsi } from "../../scripts/package/windows/msi.ts";

export const EPOCH_S = 1_790_000_000;

export type Installers = {
  readonly folder: string;
  readonly older: string;
  readonly newer: string;
  [Symbol.dispose](): void;
};

/** 1.0.0 and 1.0.1, which differ by their number alone. */
export async function makeInstallers(): Promise<Installers> {
  const folder = mkdtempSync(join(tmpdir(), "keybound-msi-suite-"));
  const [older, newer] = [join(folder, "older.msi"), join(folder, "newer.msi")];
  await buildMsi({ version: "1.0.0", epochS: EPOCH_S, file: older });
  await buildMsi({ version: "1.0.1", epochS: EPOCH_S, file: newer });
  return { folder, older, newer, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
