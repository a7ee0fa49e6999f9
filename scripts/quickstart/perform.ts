// One performance of the quickstart: the story told on a stage, what is said when it fails, and the clearing up.
import type { Writable } from "node:stream";
import type { Attack } from "./attacks.ts";
import { Page, type PageOptions, typed } from "./page.ts";
import { Scene } from "./scene.ts";
import { BIN, Stage } from "./stage.ts";
import { tellStory } from "./story.ts";

export type PerformanceOptions = PageOptions & {
  readonly err: Writable;
  /** Leave everything up until `signal`. */
  readonly keep: boolean;
  /** Ends it, with everything that it started. */
  readonly signal: AbortSignal;
  /** The attacks that are to be refused; all five unless said. */
  readonly attacks?: readonly Attack[];
};

/** Answers the exit code: 0 where all of the story was so, else 1, and then it has said why. Leaves no process and no file. */
export async function performQuickstart(options: PerformanceOptions): Promise<number> {
  const { signal, keep, env, attacks } = options;
  const page = new Page(options);
  await using stage = new Stage(signal, env);
  const startedAt = performance.now();
  try {
    page.line("Keybound's quickstart: a relay, a device and an operator as processes on this machine.");
    const desk = await tellStory(new Scene(stage, page), attacks);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    page.end(`All of it held: a job was run and proved, and every attack refused, in ${seconds} s.`, "green");
    if (keep) await stayUp(stage, page, { desk, signal });
    return 0;
  } catch (error) {
    if (signal.aborted) options.err.write(`\nquickstart was stopped (${String(signal.reason)}), and has cleared up\n`);
    else explain(error, stage, options);
    return 1;
  }
}

function explain(error: unknown, stage: Stage, { err }: PerformanceOptions): void {
  err.write(`\nquickstart failed: ${error instanceof Error ? error.message : String(error)}\n`);
  for (const { file, lines } of stage.tails()) err.write(`\nthe end of ${file}:\n  ${lines.join("\n  ")}\n`);
}

async function stayUp(
  stage: Stage,
  page: Page,
  { desk, signal }: { desk: string; signal: AbortSignal },
): Promise<void> {
  const home = ["--home", stage.path("home")];
  const passphrase = ["--passphrase-file", stage.path("passphrase")];
  const state = ["--state", stage.path("desk")];
  page.line("\nIt stays up until Ctrl-C, and then goes without a trace. In another terminal:\n");
  page.command(typed([`${BIN}/keybound`, "devices", ...home]));
  page.command(typed([`${BIN}/keybound`, "run", "--on", desk, ...home, ...passphrase, "--", "uptime"]));
  page.command(typed([`${BIN}/keybound`, "jobs", ...home]));
  page.command(typed([`${BIN}/keybound-agent`, "status", ...state]));
  page.command(typed([`${BIN}/keybound-agent`, "journal", ...state]));
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
