// Asking the person at the terminal. Questions go to stderr: stdout is for results.
import { Fault } from "./fault.ts";
import { isAtTerminal, type World } from "./world.ts";

/** Asks for a hidden line; nothing of it is shown, not even its length. */
export async function askSecret(world: World, message: string): Promise<string> {
  const { password } = await import("@inquirer/prompts");
  return orInterrupted(password({ message, mask: false }, streams(world)));
}

export async function askYes(world: World, message: string, unlessSaid = false): Promise<boolean> {
  const { confirm } = await import("@inquirer/prompts");
  return orInterrupted(confirm({ message, default: unlessSaid }, streams(world)));
}

/** Asks for a line that may be seen, until `check` finds nothing wrong with it; it answers the words for what is. */
export async function askChecked(
  world: World,
  message: string,
  { check, isSecret }: { readonly check: (typed: string) => string | undefined; readonly isSecret: boolean },
): Promise<string> {
  const { input, password } = await import("@inquirer/prompts");
  const validate = (typed: string) => check(typed) ?? true;
  const asked = isSecret
    ? password({ message, mask: false, validate }, streams(world))
    : input({ message, validate }, streams(world));
  return orInterrupted(asked);
}

/** Asks for a line that may be seen. */
export async function askLine(world: World, message: string, signal?: AbortSignal): Promise<string> {
  const { input } = await import("@inquirer/prompts");
  return orInterrupted(input({ message }, { ...streams(world), ...(signal === undefined ? {} : { signal }) }));
}

/**
 * For what destroys or widens trust, after it has been said what would happen. `yes` is the script's word. Throws
 * `yes-needed` where nobody can be asked, and `not-confirmed` for a no.
 */
export async function confirmed(world: World, yes: boolean | undefined, message: string): Promise<void> {
  if (yes === true) return;
  if (!isAtTerminal(world)) throw new Fault("yes-needed", message);
  if (!(await askYes(world, message))) throw new Fault("not-confirmed", message);
}

function streams({ stdin, stderr }: World): { input: World["stdin"]; output: World["stderr"] } {
  return { input: stdin, output: stderr };
}

/** Ctrl-C at a question is a no. */
async function orInterrupted<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && error.name === "ExitPromptError") {
      throw new Fault("not-confirmed", "interrupted at a question", { cause: error });
    }
    throw error;
  }
}
