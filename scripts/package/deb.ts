/** Makes a .deb of a laid-out payload with dpkg-deb: the same bytes from the same payload, version and time. */
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Payload, ROOT } from "./payload.ts";

const SOURCES = join(ROOT, "packaging/linux/deb");
const SCRIPTS = ["preinst", "postinst", "prerm", "postrm"] as const;

export type DebOptions = { readonly version: string; readonly architecture: string; readonly epochS: number };

export function makeDeb({ folder, bytes }: Payload, file: string, options: DebOptions): void {
  const { version, architecture, epochS } = options;
  const control = join(folder, "DEBIAN");
  mkdirSync(control);
  const filled = (name: string) =>
    readFileSync(join(SOURCES, name), "utf8")
      .replaceAll("@VERSION@", version)
      .replaceAll("@ARCHITECTURE@", architecture)
      .replaceAll("@INSTALLED_KIB@", String(Math.ceil(bytes / 1024)));
  writeFileSync(join(control, "md5sums"), md5sums(folder));
  for (const name of ["control", ...SCRIPTS]) writeFileSync(join(control, name), filled(name));
  for (const name of ["control", "md5sums", ...SCRIPTS])
    settle(join(control, name), name === "control" || name === "md5sums" ? 0o644 : 0o755, epochS);
  settle(control, 0o755, epochS);
  // Not zstd, which Debian's dpkg reads from 1.21.18 on alone. One thread: how xz divides its work would show in the bytes.
  const flags = ["--root-owner-group", "--threads-max=1", "-Zxz", "-z0"];
  execFileSync("dpkg-deb", [...flags, "--build", folder, file], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epochS) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  rmSync(control, { recursive: true });
  utimesSync(folder, epochS, epochS);
}

/** By these `dpkg --verify` finds a file that was changed after it was installed. */
function md5sums(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (path) => !path.startsWith("DEBIAN") && statSync(join(folder, path)).isFile(),
  );
  const sum = (path: string) =>
    createHash("md5")
      .update(readFileSync(join(folder, path)))
      .digest("hex");
  return files
    .toSorted()
    .map((path) => `${sum(path)}  ${path}\n`)
    .join("");
}

function settle(path: string, mode: number, epochS: number): void {
  chmodSync(path, mode);
  utimesSync(path, epochS, epochS);
}
