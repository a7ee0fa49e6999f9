/** Medians, percentiles, and reports as Markdown tables, so that what a run prints can be pasted into docs/benchmarks.md. */

/** One line of a report. `ratio` says to what in words, such as `2.1 x node -e 0`. */
export type Row = { readonly what: string; readonly value: string; readonly ratio?: string };
export type Report = { readonly title: string; readonly rows: readonly Row[]; readonly notes: readonly string[] };

/** The value that this share of the values does not exceed; NaN where there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** `4.2 (9.1) ms`: median, and 95th percentile. */
export function inMs(values: readonly number[]): string {
  return `${digits(median(values))} (${digits(quantile(values, 0.95))}) ms`;
}

export function inMib(values: readonly number[]): string {
  return `${values.map((bytes) => digits(bytes / 2 ** 20)).join(", ")} MiB`;
}

/** `2.13 x the floor`. */
export function times(value: number, floor: number, of: string): string {
  return `${(value / floor).toFixed(2)} x ${of}`;
}

/** Three digits that count. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

export function asMarkdown({ title, rows, notes }: Report): string {
  const lines = rows.map(({ what, value, ratio = "" }) => `| ${what} | ${value} | ${ratio} |`);
  const table = ["| what | median (p95) | ratio |", "| --- | --- | --- |", ...lines];
  return [`### ${title}`, "", ...table, "", ...notes.map((note) => `- ${note}`), ""].join("\n");
}
