/** Makes an .rpm of a laid-out payload with rpmbuild: the same bytes from the same payload, version and time. */
import { execFileSync } from "node:child_process";
import { copyFileSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Payload, ROOT } from "./payload.ts";

const SPEC = join(ROOT, "packaging/linux/rpm/keybound-agent.spec");

export type RpmOptions = { readonly version: string; readonly architecture: string; readonly epochS: number };

export function makeRpm({ folder }: Payload, file: string, { version, architecture, epochS }: RpmOptions): void {
  const top = mkdtempSync(`${folder}.rpm-`);
  try {
    const defines = { _topdir: top, _buildhost: "keybound", payload: folder, agent_version: version };
    const defined = Object.entries(defines).flatMap(([name, value]) => ["--define", `${name} ${value}`]);
    execFileSync("rpmbuild", ["-bb", "--quiet", "--target", architecture, ...defined, SPEC], {
      // rpmbuild reads a person's own macros below these.
      env: { ...process.env, HOME: top, XDG_CONFIG_HOME: top, SOURCE_DATE_EPOCH: String(epochS) },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [made] = globSync(`RPMS/*/*.rpm`, { cwd: top });
    if (made === undefined) throw new Error("internal error: rpmbuild made no package");
    copyFileSync(join(top, made), file);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}
