// Several people of whom one is meant, or all: `Grace or Bob`, `Grace, Bob and Max`.

export function either(names: readonly string[]): string {
  return joined(names, "or");
}

export function every(names: readonly string[]): string {
  return joined(names, "and");
}

function joined(names: readonly string[], word: "or" | "and"): string {
  const last = names.at(-1) ?? "nobody";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} ${word} ${last}`;
}
