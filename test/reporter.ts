/**
 * Reports a test run as vitest does by default, and ends it with `N passed, N failed, N skipped` on the last line.
 *
 * A file that cannot be loaded, a hook that throws, an error that no test caught and a test that never ended each
 * count as one failure, so that the line says `0 failed` only of a run that succeeded. Where a configuration allows a second
 * try, each test that needed it is named above that line.
 */
import { writeSync } from "node:fs";
import type { SerializedError } from "vitest";
import type { TestCase, TestModule, TestRunEndReason, TestSuite } from "vitest/node";
import { DefaultReporter } from "vitest/node";

export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

export class ClosingLineReporter extends DefaultReporter {
  #closingLine: string | undefined;

  override onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    super.onTestRunEnd(modules, unhandled, reason);
    if (this.#closingLine === undefined) process.once("exit", () => writeSync(1, `${this.#closingLine}\n`));
    const again = modules.flatMap((module) => [...module.children.allTests()].filter(isFlaky));
    for (const { fullName } of again) this.log(`passed at the second try only: ${fullName}`);
    this.#closingLine = closingLine(count(modules, unhandled.length));
  }
}

export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

function count(modules: readonly TestModule[], unhandledErrors: number): Counts {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const groups = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  const inState = (state: State) => tests.filter((test) => test.result().state === state).length;
  return {
    passed: inState("passed"),
    failed: inState("failed") + inState("pending") + groups.filter(failedItself).length + unhandledErrors,
    skipped: inState("skipped"),
  };
}

function isFlaky(test: TestCase): boolean {
  return test.diagnostic()?.flaky === true;
}

type State = ReturnType<TestCase["result"]>["state"];

function failedItself(group: TestModule | TestSuite): boolean {
  return group.errors().length > 0;
}
