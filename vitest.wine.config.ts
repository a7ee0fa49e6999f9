// How `npm run test:wine` runs: jobs on Windows and the installer, under Wine. The installer's file is not among the suites that run
// with every change: Wine has failed one of its tests once in some runs, for a reason that is not known.
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./test/reporter.ts";

export default defineConfig({
  test: {
    include: ["test/windows/*.suite.ts", "test/windows/*.wine.ts"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: [new ClosingLineReporter()],
  },
});
