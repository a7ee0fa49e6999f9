// The library in an operator's home: a copy of each script by its content, one file each, with the sum that it had when it was added.
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { text, utf8 } from "../../protocol/bytes.ts";
import { Fault, systemCode, writeFault } from "../fault.ts";
import { underLock } from "../home/home-lock.ts";
import { isOpenToOthers, readBounded, syncParent, writeWhole } from "../home/stored-file.ts";
import { MAX_LIBRARY_FILE_BYTES, MAX_LIBRARY_SCRIPTS } from "../limits.ts";
import { isScriptName } from "./header.ts";
import type { Library, Shelved } from "./library.ts";
import { type Script, scriptOf, sha256Of, sourceOf } from "./script.ts";

const ENDING = ".json";

const Stored = v.strictObject({
  version: v.literal(1),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** The file that it was added from, absolute. */
  from: v.string(),
  source: v.string(),
});

export type Added = { readonly script: Script; readonly from: string };
export type Change = "added" | "replaced" | "unchanged";

export class HomeLibrary implements Library {
  readonly #home: string;
  readonly #folder: string;
  readonly #platform: NodeJS.Platform;

  constructor(home: string, platform: NodeJS.Platform) {
    this.#home = home;
    this.#folder = join(home, "library");
    this.#platform = platform;
  }

  names(): readonly string[] {
    if (!existsSync(this.#folder)) return [];
    if (isOpenToOthers(this.#folder, this.#platform)) throw new Fault("home-unsafe", this.#folder);
    const names = readdirSync(this.#folder).filter((file) => file.endsWith(ENDING));
    return names
      .map((file) => file.slice(0, -ENDING.length))
      .filter(isScriptName)
      .toSorted();
  }

  list(): readonly Shelved[] {
    return this.names().map((name) => this.get(name));
  }

  get(name: string): Shelved {
    if (!this.names().includes(name)) throw new Fault("script-unknown", name);
    const { source, sha256, from } = this.#read(name);
    if (sha256Of(source) !== sha256) throw new Fault("script-changed", `${name} in ${this.#folder}`);
    const script = scriptOf(source, name);
    if (script.header.name !== name) throw new Fault("script-changed", `${name} in ${this.#folder}`);
    const origin = originOf(from, source);
    return { ...script, from, ...(origin === undefined ? {} : { origin }) };
  }

  /**
   * Copies scripts here, all or none of what is refused: without `replace`, `script-exists` for another content under a name.
   * Throws `library-full`. A crash leaves each script as it was or as it is to be.
   */
  add(added: readonly Added[], { replace }: { readonly replace: boolean }): Promise<readonly Change[]> {
    return underLock(this.#home, async () => {
      const changes = added.map(({ script }) => this.#changeOf(script, replace));
      const fresh = changes.filter((change) => change === "added").length;
      if (this.names().length + fresh > MAX_LIBRARY_SCRIPTS)
        throw new Fault("library-full", `at most ${MAX_LIBRARY_SCRIPTS} scripts`);
      this.#makeFolder();
      for (const one of added) this.#write(one);
      return changes;
    });
  }

  /** Throws `script-unknown`. A file that cannot be read can be removed too. */
  remove(name: string): Promise<void> {
    return underLock(this.#home, async () => {
      if (!this.names().includes(name)) throw new Fault("script-unknown", name);
      rmSync(this.#path(name));
      syncParent(this.#path(name));
    });
  }

  #changeOf({ header: { name }, sha256 }: Script, replace: boolean): Change {
    if (!this.names().includes(name)) return "added";
    if (!replace) {
      if (this.#read(name).sha256 === sha256) return "unchanged";
      throw new Fault("script-exists", name);
    }
    return "replaced";
  }

  #read(name: string): v.InferOutput<typeof Stored> {
    const json = text(readBounded(this.#path(name), MAX_LIBRARY_FILE_BYTES)) ?? "";
    try {
      return v.parse(Stored, JSON.parse(json));
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof v.ValiError)
        throw new Fault("script-changed", `${name} in ${this.#folder}`, { cause: error });
      throw error;
    }
  }

  #write({ script: { header, source, sha256 }, from }: Added): void {
    const json = JSON.stringify({ version: 1, sha256, from, source } satisfies v.InferOutput<typeof Stored>);
    writeWhole(this.#path(header.name), utf8(`${json}\n`), { replace: true });
  }

  #makeFolder(): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw writeFault(error, this.#folder);
    }
  }

  #path(name: string): string {
    return join(this.#folder, `${name}${ENDING}`);
  }
}

/** How the file that a copy was made of stands to it now. */
function originOf(from: string, source: string): Shelved["origin"] {
  try {
    return sourceOf(from) === source ? undefined : "changed";
  } catch (error) {
    if (error instanceof Fault && error.code === "file-missing") return "missing";
    // Larger than a script, or no text any more; or a folder by now.
    if (error instanceof Fault || systemCode(error) !== undefined) return "changed";
    throw error;
  }
}
