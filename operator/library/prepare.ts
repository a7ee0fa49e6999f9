// From a script and its values to what a job says: the source as it is, and the values beside it as data.
import * as v from "valibot";
import { label } from "../../protocol/fields.ts";
import type { BodyOptions, Program } from "../jobs/run-request.ts";
import { plain } from "../present/escape.ts";
import type { Header } from "./header.ts";
import type { Script } from "./script.ts";
import type { ParameterValue } from "./values.ts";

const MAX_TITLE = 120;

/** The source is not touched: values are variables or, where the header says so, arguments. Secrets are variables always. */
export function programOf({ header, source }: Script, values: readonly ParameterValue[]): Program {
  const asArguments = ({ parameter }: ParameterValue) =>
    header.pass === "arguments" && parameter.type.type !== "secret";
  return {
    shell: header.shell,
    source,
    args: values.filter(asArguments).map(({ value }) => value),
    env: values
      .filter((value) => !asArguments(value))
      .map(({ parameter, value }) => ({ name: parameter.variable, value })),
  };
}

/** What the header bounds; an option that was given stands above it. */
export function limitsOf<const Options extends BodyOptions & { readonly expires?: number }>(
  { timeoutMs, outputLimitBytes, expiresMs, lock, mayReboot }: Header,
  options: Options,
): Options {
  return {
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    ...(outputLimitBytes === undefined ? {} : { outputLimit: outputLimitBytes }),
    ...(expiresMs === undefined ? {} : { expires: expiresMs }),
    ...(lock === undefined ? {} : { lock }),
    ...(mayReboot ? { mayReboot } : {}),
    ...options,
  };
}

/** `restart-service service=nginx wait=1m`: what was given, without secrets, cut to what a label may have. */
export function titleOf({ name }: Header, values: readonly ParameterValue[]): string {
  const given = values.flatMap(({ parameter, typed }) =>
    typed === undefined || parameter.type.type === "secret" ? [] : [`${parameter.name}=${titleValue(typed)}`],
  );
  const title = [name, ...given].join(" ");
  const cut = title.length > MAX_TITLE ? `${title.slice(0, MAX_TITLE - 3).trimEnd()}...` : title;
  return v.is(label(MAX_TITLE), cut) ? cut : name;
}

function titleValue(typed: string): string {
  return /^[A-Za-z0-9_./:@%+,-]+$/.test(typed) ? typed : plain(JSON.stringify(typed));
}
