/** What package-lock.json says of a package: its version, the hash of its archive, its licence. */
import lockfile from "../../package-lock.json" with { type: "json" };

export type Locked = {
  readonly name: string;
  readonly version: string;
  /** `sha512-` and the hash of the archive in base64. */
  readonly integrity: string;
  readonly license: string;
};

const PACKAGES: Readonly<Record<string, object | undefined>> = lockfile.packages;

/** The package at this place in node_modules. Throws where the lockfile does not have it whole. */
export function locked(name: string): Locked {
  const entry = PACKAGES[`node_modules/${name}`];
  const text = (key: string) => {
    const value: unknown = entry === undefined ? undefined : Reflect.get(entry, key);
    if (typeof value !== "string") throw new Error(`package-lock.json has no ${key} of ${name}`);
    return value;
  };
  return { name, version: text("version"), integrity: text("integrity"), license: text("license") };
}

/** The packages that these sources came from, once each and in order. */
export function packagesOf(sources: readonly string[]): readonly Locked[] {
  const names = sources.flatMap(
    (path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!node_modules\/)/.exec(path)?.[1] ?? [],
  );
  const nested = sources.filter((path) => path.split("node_modules/").length > 2);
  if (nested.length > 0) throw new Error(`internal error: two versions of a package are bundled: ${nested.join(", ")}`);
  return [...new Set(names)].toSorted().map(locked);
}
