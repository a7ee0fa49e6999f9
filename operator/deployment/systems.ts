// For which systems there are installers, and how a release calls them.

export const SYSTEMS = ["linux-deb", "linux-rpm", "windows", "macos"] as const;
export type System = (typeof SYSTEMS)[number];
export type Processor = "x64" | "arm64";

export type Installer = { readonly system: System; readonly processor: Processor; readonly name: string };

type Naming = Omit<Installer, "name"> & { readonly before: string; readonly after: string };

/** What stands before and after the version in each installer's name. */
const NAMINGS: readonly Naming[] = [
  { system: "linux-deb", processor: "x64", before: "keybound-agent_", after: "_amd64.deb" },
  { system: "linux-deb", processor: "arm64", before: "keybound-agent_", after: "_arm64.deb" },
  { system: "linux-rpm", processor: "x64", before: "keybound-agent-", after: "-1.x86_64.rpm" },
  { system: "linux-rpm", processor: "arm64", before: "keybound-agent-", after: "-1.aarch64.rpm" },
  { system: "windows", processor: "x64", before: "keybound-agent-", after: "-x64.msi" },
  { system: "macos", processor: "x64", before: "keybound-agent-", after: "-macos-x64.pkg" },
  { system: "macos", processor: "arm64", before: "keybound-agent-", after: "-macos-arm64.pkg" },
];

/** The installers of a version for these systems. */
export function installersOf(version: string, systems: readonly System[]): readonly Installer[] {
  return NAMINGS.filter(({ system }) => systems.includes(system)).map(({ system, processor, before, after }) => ({
    system,
    processor,
    name: `${before}${version}${after}`,
  }));
}

/** The version in the name of an installer, such as `1.2.3`; `undefined` for another file. */
export function versionOf(name: string): string | undefined {
  for (const { before, after } of NAMINGS) {
    if (!name.startsWith(before) || !name.endsWith(after)) continue;
    const version = name.slice(before.length, -after.length);
    if (/^\d{1,9}\.\d{1,9}\.\d{1,9}$/.test(version)) return version;
  }
  return undefined;
}
