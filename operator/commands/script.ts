// `keybound script`: the library's scripts are listed, shown, added and removed; nothing here signs or sends.
import { resolve } from "node:path";
import { print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { shown } from "../jobs/job-lines.ts";
import { FolderLibrary } from "../library/folder-library.ts";
import type { Added } from "../library/home-library.ts";
import {
  checkedScriptName,
  type LibraryOptions,
  openHomeLibrary,
  openLibrary,
  type Shelved,
} from "../library/library.ts";
import { type Parameter, typeWords } from "../library/parameter.ts";
import { readScriptFile } from "../library/script.ts";
import { plain } from "../present/escape.ts";
import { span } from "../present/span.ts";
import { table } from "../present/table.ts";
import type { World } from "../world.ts";

const SHOWN_SUM = 12;

export type AddOptions = LibraryOptions & { readonly from?: string; readonly force?: boolean };

/** Copies a file, or with `--from` each script of a folder. All of them are read before the first is kept. */
export async function addScript(world: World, file: string | undefined, options: AddOptions): Promise<void> {
  const added = scriptsToAdd(file, options.from);
  const library = openHomeLibrary(world, options);
  const changes = await library.add(added, { replace: options.force === true });
  const rows = added.map(({ script, from }, at) => {
    return { name: script.header.name, state: changes[at] ?? "added", sha256: script.sha256, from };
  });
  if (options.json === true) return printJson(world, rows);
  for (const { name, state, sha256 } of rows) print(world, `${state} ${name}  sha256 ${sha256}`);
}

function scriptsToAdd(file: string | undefined, from: string | undefined): readonly Added[] {
  if ((file === undefined) === (from === undefined)) throw new Fault("misuse", "which script? a FILE, or --from DIR");
  if (file !== undefined) return [{ script: readScriptFile(file), from: resolve(file) }];
  const found = new FolderLibrary(from ?? "").list();
  if (found.length === 0) throw new Fault("script-unknown", `no script in ${from}`);
  return found.map((script) => ({ script, from: script.from }));
}

export async function listScripts(world: World, options: LibraryOptions & { readonly names?: boolean }): Promise<void> {
  const library = openLibrary(world, options);
  if (options.names === true) return library.names().forEach((name) => print(world, name));
  const scripts = library.list();
  if (options.json === true) return printJson(world, scripts.map(scriptJson));
  if (scripts.length === 0) return say(world, "no scripts yet: keybound script add FILE");
  const cells = scripts.map(({ header, sha256 }) => [
    header.name,
    header.shell,
    header.platforms.join(",") || "any",
    parameterList(header.parameters),
    sha256.slice(0, SHOWN_SUM),
    header.description,
  ]);
  print(world, await table(["NAME", "SHELL", "PLATFORM", "PARAMETERS", "SHA256", "DESCRIPTION"], cells));
  for (const script of scripts) sayOrigin(world, script);
}

export function showScript(world: World, name: string, options: LibraryOptions): void {
  const script = openLibrary(world, options).get(checkedScriptName(name));
  if (options.json === true) return printJson(world, { ...scriptJson(script), source: script.source });
  for (const line of headerLines(script)) print(world, line);
  print(world, "");
  for (const line of script.source.replace(/\r?\n$/, "").split(/\r?\n/)) print(world, `  | ${shown(line)}`);
  sayOrigin(world, script);
}

export async function removeScript(world: World, name: string, options: LibraryOptions): Promise<void> {
  await openHomeLibrary(world, options).remove(checkedScriptName(name));
  if (options.json === true) return printJson(world, { name });
  print(world, `removed ${name}`);
}

/** Parameters that have to be given stand as they are, the others in brackets. */
function parameterList(parameters: readonly Parameter[]): string {
  const words = parameters.map(({ name, fallback }) => (fallback === undefined ? name : `[${name}]`));
  return words.join(" ") || "-";
}

function headerLines({ header, sha256, from }: Shelved): readonly string[] {
  const { name, description, shell, platforms, pass, parameters, lock, mayReboot } = header;
  const { timeoutMs, outputLimitBytes, expiresMs } = header;
  return [
    `name          ${name}`,
    `description   ${description}`,
    `shell         ${shell}`,
    `platform      ${platforms.join(", ") || "any"}`,
    ...(timeoutMs === undefined ? [] : [`timeout       ${span(timeoutMs)}`]),
    ...(outputLimitBytes === undefined ? [] : [`output-limit  ${outputLimitBytes} bytes`]),
    ...(expiresMs === undefined ? [] : [`expires       ${span(expiresMs)}`]),
    ...(lock === undefined ? [] : [`lock          ${lock}`]),
    ...(mayReboot ? ["may-reboot    true"] : []),
    ...parameters.map((parameter) => `param         ${parameterWords(parameter, pass)}`),
    `sha256        ${sha256}`,
    `from          ${plain(from)}`,
  ];
}

function parameterWords({ name, variable, type, fallback, about }: Parameter, pass: string): string {
  const place = pass === "arguments" && type.type !== "secret" ? "an argument" : `as ${variable}`;
  const own = fallback === undefined ? "" : ` = ${bare(fallback)}`;
  return `${name} (${place}): ${typeWords(type)}${own}${about === undefined ? "" : ` -- ${about}`}`;
}

function bare(fallback: string): string {
  return /^[^\s"]+$/.test(fallback) ? plain(fallback) : plain(JSON.stringify(fallback));
}

function sayOrigin(world: World, { header: { name }, from, origin }: Shelved): void {
  if (origin === "missing") say(world, `${name}: ${plain(from)} is not there any more; the copy here stays`);
  if (origin === "changed")
    say(
      world,
      `${name}: ${plain(from)} has changed since; what runs is the copy here, until keybound script add --force`,
    );
}

function scriptJson({ header, sha256, from, origin }: Shelved): object {
  const { platforms, parameters, ...rest } = header;
  return { ...rest, platforms, parameters: parameters.map(parameterJson), sha256, from, origin: origin ?? "same" };
}

function parameterJson({ name, variable, type, fallback, about }: Parameter): object {
  return {
    name,
    variable,
    type: type.type,
    rule: typeWords(type),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(about === undefined ? {} : { about }),
  };
}
