// How `npm run test:suite -- NAME` runs: the long suites, *.suite.ts under test/, one at a time and with time to spare.
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./test/reporter.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.suite.ts"],
    pool: "forks",
    maxWorkers: 1,
    // Real machines and many processes under time limits, on whatever else this machine does. The reporter names who needed it.
    retry: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: [new ClosingLineReporter()],
  },
});
