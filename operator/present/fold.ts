// Many names in few characters, as cluster shells fold them: `db, web[1-3,07-09]`.

const NUMBERED = /^(.*?)(\d{1,15})(\D*)$/;

type Series = { readonly before: string; readonly after: string; readonly numbers: string[] };

/** Folds names that differ in their last number; numbers of one width only join, so that it can be unfolded again. */
export function foldNames(names: readonly string[]): string {
  const series = new Map<string, Series>();
  for (const name of [...names].toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))) {
    const [, before = name, number = "", after = ""] = NUMBERED.exec(name) ?? [];
    const key = `${before}\0${after}\0${number === ""}`;
    const one = series.get(key) ?? { before, after, numbers: [] };
    one.numbers.push(number);
    series.set(key, one);
  }
  return [...series.values()].map(foldSeries).join(", ");
}

function foldSeries({ before, after, numbers }: Series): string {
  const [only, another] = numbers;
  if (another === undefined) return `${before}${only ?? ""}${after}`;
  return `${before}[${ranges(numbers).join(",")}]${after}`;
}

function ranges(numbers: readonly string[]): readonly string[] {
  const runs: { first: string; last: string }[] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && follows(run.last, number)) run.last = number;
    else runs.push({ first: number, last: number });
  }
  return runs.map(({ first, last }) => (first === last ? first : `${first}-${last}`));
}

/** `09` is followed by `10`, `9` by `10`, but `9` not by `010`. */
function follows(a: string, b: string): boolean {
  return String(Number(a) + 1).padStart(a.length, "0") === b;
}
