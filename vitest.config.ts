// How `npm test` runs: every *.test.ts under test/, on the Node that started vitest, two files at a time.
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./test/reporter.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 20_000,
    reporters: [new ClosingLineReporter()],
  },
});
