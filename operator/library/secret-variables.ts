// Which variables of a job hold secrets: its source says so itself, where it is a script of a library, so that no list of a job's
// variables shows them.
import type { JobBody } from "../../protocol/job-body.ts";
import { Fault } from "../fault.ts";
import { hasHeader, readHeader } from "./header.ts";

/** Names of variables; none for a source without a header, or with one that is not as it has to be. */
export function secretVariables({ source }: Pick<JobBody, "source">): ReadonlySet<string> {
  if (source === undefined || !hasHeader(source)) return new Set();
  try {
    const secrets = readHeader(source, "source").parameters.filter(({ type }) => type.type === "secret");
    return new Set(secrets.map(({ variable }) => variable));
  } catch (error) {
    if (error instanceof Fault) return new Set();
    throw error;
  }
}

/** A body for people to see: in place of a secret's value stands `null`. */
export function withoutSecrets<const Body extends Pick<JobBody, "source" | "env">>(body: Body) {
  const secrets = secretVariables(body);
  const env = body.env.map(({ name, value }) => ({ name, value: secrets.has(name) ? null : value }));
  return { ...body, env };
}
