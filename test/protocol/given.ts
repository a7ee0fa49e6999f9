// A vector's input, read field by field. Bytes are base64, or that with a filling up to a length.
import { field, fields, list } from "./json-file.ts";

export class Given {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  has(name: string): boolean {
    return field(this.#value, name) !== undefined;
  }

  at(name: string): Given {
    return new Given(field(this.#value, name));
  }

  text(name: string): string {
    const found = field(this.#value, name);
    if (typeof found !== "string") throw new TypeError(`no text at ${name}`);
    return found;
  }

  number(name: string): number {
    const found = field(this.#value, name);
    if (typeof found !== "number") throw new TypeError(`no number at ${name}`);
    return found;
  }

  flag(name: string): boolean {
    return field(this.#value, name) === true;
  }

  optional(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined;
  }

  texts(name: string): readonly string[] {
    return this.has(name) ? list(this.#value, name).map(String) : [];
  }

  numbers(name: string): ReadonlyMap<string, number> {
    return new Map(Object.entries(fields(field(this.#value, name) ?? {})).map(([key, value]) => [key, Number(value)]));
  }

  bytes(name: string): Uint8Array {
    const found = field(this.#value, name);
    if (typeof found === "string") return Uint8Array.fromBase64(found);
    const padded = new Given(found);
    const filled = new Uint8Array(padded.number("padTo")).fill(0x20);
    filled.set(padded.bytes("base64"));
    return filled;
  }

  bytesList(name: string): readonly Uint8Array[] {
    return this.texts(name).map((text) => Uint8Array.fromBase64(text));
  }
}
