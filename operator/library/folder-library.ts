// A plain folder of scripts, such as one that a team keeps in git: each file is named for the script in it, `NAME` or `NAME.sh`.
import { readdirSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { Fault, systemCode } from "../fault.ts";
import { MAX_LIBRARY_ENTRIES, MAX_LIBRARY_SCRIPTS } from "../limits.ts";
import { hasHeader, isScriptName } from "./header.ts";
import type { Library, Shelved } from "./library.ts";
import { scriptOf, sourceOf } from "./script.ts";

const ENDINGS = [".sh", ".bash", ".zsh", ".py", ".ps1", ".cmd", ".bat"];

type Found = { readonly name: string; readonly path: string };

/** Reads the files at its top; other endings, files without a header, folders and links are passed over. */
export class FolderLibrary implements Library {
  readonly #folder: string;

  /** Throws `file-missing` for a folder that cannot be read. */
  constructor(folder: string) {
    this.#folder = resolve(folder);
  }

  names(): readonly string[] {
    return this.#files().map(({ name }) => name);
  }

  list(): readonly Shelved[] {
    return this.#files().flatMap((found) => this.#readIfScript(found) ?? []);
  }

  get(name: string): Shelved {
    const found = this.#files().find((one) => one.name === name);
    const script = found && this.#readIfScript(found);
    if (script === undefined) throw new Fault("script-unknown", `${name} in ${this.#folder}`);
    return script;
  }

  #readIfScript({ name, path }: Found): Shelved | undefined {
    const source = sourceOf(path);
    if (!hasHeader(source)) return undefined;
    const script = scriptOf(source, path);
    if (script.header.name === name) return { ...script, from: path };
    throw new Fault("script-header", `${path}: its header says name = ${script.header.name}`);
  }

  #files(): readonly Found[] {
    const entries = this.#entries().filter((entry) => entry.isFile());
    const files = entries.flatMap(({ name: file }) => {
      const name = ENDINGS.includes(extname(file)) ? file.slice(0, -extname(file).length) : file;
      const isOther = name === file && file.includes(".");
      return isScriptName(name) && !isOther ? [{ name, path: join(this.#folder, file) }] : [];
    });
    if (files.length > MAX_LIBRARY_SCRIPTS) throw new Fault("library-full", this.#folder);
    const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const twice = sorted.find(({ name }, at) => sorted[at + 1]?.name === name);
    if (twice !== undefined) throw new Fault("script-header", `${this.#folder}: two files are named ${twice.name}`);
    return sorted;
  }

  #entries() {
    try {
      const entries = readdirSync(this.#folder, { withFileTypes: true });
      if (entries.length <= MAX_LIBRARY_ENTRIES) return entries;
      throw new Fault("library-full", `${this.#folder} has more than ${MAX_LIBRARY_ENTRIES} entries`);
    } catch (error) {
      const code = systemCode(error);
      if (error instanceof Fault || code === undefined) throw error;
      throw new Fault("file-missing", `${this.#folder} (${code})`, { cause: error });
    }
  }
}
