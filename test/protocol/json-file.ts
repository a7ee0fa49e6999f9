// Reading vector files whose form others chose: each step says what is missing instead of guessing.

export function fields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new TypeError(`no object: ${JSON.stringify(value)}`);
  return Object.fromEntries(Object.entries(value));
}

export function field(value: unknown, name: string): unknown {
  return fields(value)[name];
}

/** The list at this field, or the value itself. */
export function list(value: unknown, name?: string): readonly unknown[] {
  const found: unknown = name === undefined ? value : field(value, name);
  if (!Array.isArray(found)) throw new TypeError(`no list at ${name ?? "the top"}`);
  return found;
}

export function textOf(value: unknown, name: string): string {
  const found = field(value, name);
  if (typeof found !== "string") throw new TypeError(`no text at ${name}`);
  return found;
}
