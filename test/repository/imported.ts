/** Lists what a TypeScript source imports, types included, from its syntax tree: comments and strings do not count. */
import { parseAst } from "vitest/node";

/** What a source reaches for. A specifier that is computed when it runs, and so cannot be judged, is `undefined`. */
export type Imported = { readonly specifiers: readonly (string | undefined)[]; readonly hasDefaultExport: boolean };

export function imported(source: string): Imported {
  const nodes = [...walk(parseAst(source, { lang: "ts" }))];
  return { specifiers: nodes.flatMap(specifiersOf), hasDefaultExport: nodes.some(isDefaultExport) };
}

type SyntaxNode = { readonly type: string; readonly [field: string]: unknown };

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function* walk(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) for (const item of value) yield* walk(item);
  if (!isNode(value)) return;
  yield value;
  for (const field of Object.values(value)) yield* walk(field);
}

function specifiersOf(node: SyntaxNode): readonly (string | undefined)[] {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return [literal(node["source"])];
    case "ExportNamedDeclaration":
      return node["source"] === null ? [] : [literal(node["source"])];
    case "TSExternalModuleReference":
      return [literal(node["expression"])];
    case "CallExpression":
      return loadsModule(node["callee"]) ? [literal(firstOf(node["arguments"]))] : [];
    default:
      return [];
  }
}

const MODULE_LOADERS = ["require", "getBuiltinModule"];

function loadsModule(callee: unknown): boolean {
  if (!isNode(callee)) return false;
  const named = callee.type === "MemberExpression" ? callee["property"] : callee;
  return isNode(named) && MODULE_LOADERS.some((loader) => named["name"] === loader || named["value"] === loader);
}

function isDefaultExport(node: SyntaxNode): boolean {
  if (node.type === "ExportDefaultDeclaration") return true;
  const exported = node["exported"];
  return node.type === "ExportSpecifier" && isNode(exported) && (exported["name"] ?? exported["value"]) === "default";
}

function literal(node: unknown): string | undefined {
  return isNode(node) && typeof node["value"] === "string" ? node["value"] : undefined;
}

function firstOf(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}
