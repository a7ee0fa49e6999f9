/** The rules of who may import whom and how a file is named and begins, as one function over a tree of sources. */
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { type Imported, imported } from "./imported.ts";

export const PRODUCT_FOLDERS = ["protocol", "agent", "operator", "relay", "installer", "packaging"] as const;
export const FOLDERS = [...PRODUCT_FOLDERS, "scripts", "test"] as const;

/** TypeScript sources by their path in the repository, with `/` between folders. */
export type Sources = ReadonlyMap<string, string>;

/** What of protocol the relay may import: logs, logins, frames and envelopes, nothing that reads a job or opens a seal. */
export const RELAY_MAY_IMPORT = [
  "protocol/binding-report.ts",
  "protocol/bytes.ts",
  "protocol/checkpoint.ts",
  "protocol/crockford.ts",
  "protocol/enrolment.ts",
  "protocol/envelope.ts",
  "protocol/fields.ts",
  "protocol/frame.ts",
  "protocol/key-admission.ts",
  "protocol/key-approval.ts",
  "protocol/key-log.ts",
  "protocol/key-request.ts",
  "protocol/key-state.ts",
  "protocol/key-view.ts",
  "protocol/limits.ts",
  "protocol/pin.ts",
  "protocol/refusal.ts",
  "protocol/relay-login.ts",
  "protocol/roster-event.ts",
  "protocol/roster.ts",
  "protocol/signature.ts",
  "protocol/strict-json.ts",
  "protocol/wire-device.ts",
  "protocol/wire-fields.ts",
  "protocol/wire-operator.ts",
  "protocol/wire.ts",
];

/** What the relay must not reach by any path, through files it may import either. */
export const RELAY_MUST_NOT_REACH = [
  "protocol/hpke.ts",
  "protocol/job-body.ts",
  "protocol/job.ts",
  "protocol/output.ts",
  "protocol/seal.ts",
  "protocol/stream.ts",
  "protocol/verify-job.ts",
];

const NODE_PRIMITIVES = "protocol/primitives/node.ts";
const INSTALLER_MAY_SEE_OF_AGENT = /^agent\/(paths|config|binding)/;
/** What each entry of a one-file program starts. */
const STARTED_AS_ONE_FILE = new Map([
  ["packaging/one-file/keybound.ts", "operator/main.ts"],
  ["packaging/one-file/keybound-relay.ts", "relay/main.ts"],
]);
const NAMES_THAT_SAY_NOTHING = /^(utils?|helpers?|common|managers?|services?)$/;
const MAX_LINES = 400;
const FIRST_COMMENT = /^(?:#!.*\n)?\s*(\/\*[^]*?\*\/|(?:\/\/.*\n)+)/;
const SENTENCE = /\w+ \w+ [^]*[.:](\s|$)/;

/** What is pinned when a program is built; data, which agent and operator have as a part of themselves. */
const RELEASE_KEYS = "packaging/release-keys.json";

/** Every breach of a rule as one line `path: what is wrong`, sorted; none when all rules hold. */
export function breaches(sources: Sources, dependencies: ReadonlySet<string>): readonly string[] {
  const tree: Tree = new Map([...sources].map(([path, source]) => [path, imported(source)]));
  const found = [...sources].flatMap(([path, source]) => [
    ...formBreaches(path, source),
    ...importBreaches({ path, of: tree.get(path), dependencies }),
  ]);
  return [...found, ...relayReachBreaches(tree)].toSorted();
}

type Tree = ReadonlyMap<string, Imported>;

function formBreaches(path: string, source: string): readonly string[] {
  const found: string[] = [];
  const lines = source.split("\n").length - 1;
  if (NAMES_THAT_SAY_NOTHING.test(posix.basename(path, ".ts"))) found.push(`${path}: its name says nothing`);
  if (isProduct(path) && !startsWithSentence(source)) found.push(`${path}: does not start with a sentence of comment`);
  if (folderOf(path) !== "test" && lines > MAX_LINES) found.push(`${path}: ${lines} lines, at most ${MAX_LINES}`);
  return found;
}

function startsWithSentence(source: string): boolean {
  const comment = FIRST_COMMENT.exec(source)?.[1] ?? "";
  return SENTENCE.test(comment.replaceAll(/^\s*(\/\*\*?|\*\/|\*|\/\/)|\*\/$/gm, "").trim());
}

type Importer = {
  readonly path: string;
  readonly of: Imported | undefined;
  readonly dependencies: ReadonlySet<string>;
};

function importBreaches({ path, of, dependencies }: Importer): readonly string[] {
  if (of === undefined) return [];
  const reasons = of.specifiers.map((specifier) => {
    const reason = specifier === undefined ? whyNotComputed(path) : whyNot({ path, specifier, dependencies });
    return reason === undefined ? [] : [`${path}: imports ${specifier ?? "a computed path"}: ${reason}`];
  });
  return [...reasons.flat(), ...(of.hasDefaultExport ? [`${path}: has a default export`] : [])];
}

function whyNotComputed(path: string): string | undefined {
  return isProduct(path) ? "what it is cannot be judged" : undefined;
}

type Import = { readonly path: string; readonly specifier: string; readonly dependencies: ReadonlySet<string> };

/** Why a file may not import this; `undefined` when it may. */
function whyNot({ path, specifier, dependencies }: Import): string | undefined {
  if (isBuiltin(specifier)) return whyNotBuiltin(path, specifier);
  if (specifier === "#primitives") return mayUsePrimitives(path) ? undefined : "only protocol chooses its primitives";
  if (!specifier.startsWith(".")) return whyNotPackage({ path, specifier, dependencies });
  const target = posix.join(posix.dirname(path), specifier);
  if (target === RELEASE_KEYS && ["agent", "operator"].includes(folderOf(path))) return undefined;
  if (!(isProduct(path) ? /\.ts$/ : /\.(ts|mjs|json)$/).test(target)) return "does not end in .ts";
  return maySee(path, target) ? undefined : `${folderOf(path)} may not see it`;
}

function whyNotBuiltin(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith("node:")) return "a module of Node's is written with node:";
  return folderOf(path) === "protocol" && path !== NODE_PRIMITIVES ? `only ${NODE_PRIMITIVES} may use Node` : undefined;
}

function mayUsePrimitives(path: string): boolean {
  return folderOf(path) === "protocol" || !isProduct(path);
}

function whyNotPackage({ path, specifier, dependencies }: Import): string | undefined {
  if (!isProduct(path)) return undefined;
  const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  return dependencies.has(name) ? undefined : "it is not among the dependencies that ship";
}

function maySee(path: string, target: string): boolean {
  const [from, to] = [folderOf(path), folderOf(target)];
  switch (from) {
    case "protocol":
      return to === "protocol";
    case "agent":
    case "operator":
      return to === from || to === "protocol";
    case "relay":
      return to === "relay" || RELAY_MAY_IMPORT.includes(target);
    case "installer":
      return to === from || to === "protocol" || INSTALLER_MAY_SEE_OF_AGENT.test(target);
    case "packaging":
      if (STARTED_AS_ONE_FILE.get(path) === target) return true;
      return to === from || to === "protocol" || to === "installer" || INSTALLER_MAY_SEE_OF_AGENT.test(target);
    default:
      return true;
  }
}

function relayReachBreaches(tree: Tree): readonly string[] {
  const reached = new Set([...tree.keys()].filter((path) => folderOf(path) === "relay"));
  for (const path of reached) for (const target of relativeTargets(path, tree)) reached.add(target);
  const forbidden = RELAY_MUST_NOT_REACH.filter((path) => reached.has(path));
  return forbidden.map((path) => `relay: reaches ${path}, so it could read a job`);
}

function relativeTargets(path: string, tree: Tree): readonly string[] {
  const specifiers = tree.get(path)?.specifiers ?? [];
  const relative = specifiers.filter((specifier) => specifier?.startsWith("."));
  return relative.map((specifier) => posix.join(posix.dirname(path), specifier ?? ""));
}

function folderOf(path: string): string {
  return path.split("/")[0] ?? "";
}

function isProduct(path: string): boolean {
  return PRODUCT_FOLDERS.some((folder) => folder === folderOf(path));
}
