/** What package-lock.json says of a package: its version, the hash of its archive, its licence. */
import lockfile from "../../package-lock.json" with { type: "json" };

export type Locked = {
  readonly name: string;
  /** Where it is below node_modules: its name, or that of a package which has its own version of it, and so on. */
  readonly place: string;
  readonly version: string;
  /** `sha512-` and the hash of the archive in base64. */
  readonly integrity: string;
  readonly license: string;
};

const PACKAGES: Readonly<Record<string, object | undefined>> = lockfile.packages;

/** The package at this place in node_modules. Throws where the lockfile does not have it whole. */
export function locked(place: string): Locked {
  const entry = PACKAGES[`node_modules/${place}`];
  const text = (key: string) => {
    const value: unknown = entry === undefined ? undefined : Reflect.get(entry, key);
    if (typeof value !== "string") throw new Error(`package-lock.json has no ${key} of ${place}`);
    return value;
  };
  const name = place.replace(/^.*node_modules\//, "");
  return { name, place, version: text("version"), integrity: text("integrity"), license: text("license") };
}

/** The packages that these sources came from, each version once and in order. */
export function packagesOf(sources: readonly string[]): readonly Locked[] {
  const places = sources.flatMap(
    (path) => /^node_modules\/((?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  const found = [...new Set(places)].toSorted().map(locked);
  return [...new Map(found.map((one) => [`${one.name}@${one.version}`, one])).values()];
}
