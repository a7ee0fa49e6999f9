// How `npm run test:wine` runs: jobs on Windows and the installer, under Wine.
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./test/reporter.ts";

export default defineConfig({
  test: {
    include: ["test/windows/*.suite.ts", "test/windows/*.wine.ts"],
    pool: "forks",
    maxWorkers: 1,
    // Whole systems under time limits, on whatever else this machine does. The reporter names who needed it.
    retry: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: [new ClosingLineReporter()],
  },
});
