// What Windows is told of a job instead of arguments and ids: one command line, and whose session it is for.
import type { JobBody } from "../../protocol/job-body.ts";
import type { Interpreter } from "./interpreter.ts";
import type { Source } from "./source-file.ts";
import { commandLine } from "./windows-command-line.ts";

export type WindowsLaunch = {
  readonly line: string;
  /** As the launcher knows it; absent where the job runs as the agent does. */
  readonly who?: string | undefined;
  readonly place?: Source["place"];
};

/** Throws `platform-lacks` for an argument that cannot be handed on. */
export function windowsLaunch({
  body,
  interpreter,
  source,
}: {
  readonly body: JobBody;
  readonly interpreter: Interpreter;
  readonly source: Source | undefined;
}): WindowsLaunch {
  return { line: lineOf(body, interpreter, source?.path ?? ""), who: whoOf(body.user), place: source?.place };
}

/** Windows' line for these arguments; `source` is a path of any length that the source's may have. */
export function lineOf({ shell, args }: JobBody, interpreter: Interpreter, source: string): string {
  if (shell === "exec") return commandLine(interpreter.path, interpreter.args(""));
  return interpreter.line?.({ source, args }) ?? commandLine(interpreter.path, [...interpreter.args(source), ...args]);
}

function whoOf(user: { readonly as: string; readonly name?: string }): string | undefined {
  if (user.as === "system") return undefined;
  return user.as === "user" ? `user ${user.name}` : user.as;
}
