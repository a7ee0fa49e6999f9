// Every vector file of our own by its path under test/vectors, with the text that stands in it.
import { refusalFiles } from "./refusal-files.ts";
import { statementFiles } from "./statement-files.ts";

export function vectorFiles(): ReadonlyMap<string, string> {
  const refusals = [...refusalFiles()].map(([name, cases]) => [`refusals/${name}.json`, textOf(cases)] as const);
  const statements = [...statementFiles()].map(([name, file]) => [`statements/${name}.json`, textOf(file)] as const);
  return new Map([...refusals, ...statements]);
}

function textOf(value: unknown): string {
  return `${JSON.stringify(value, undefined, 1)}\n`;
}
