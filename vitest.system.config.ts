// How `npm run test:system` runs: *.system.ts under test/, machines with a systemd of their own, one at a time. Needs root.
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./test/reporter.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.system.ts"],
    pool: "forks",
    maxWorkers: 1,
    // Real machines and many processes under time limits, on whatever else this machine does. The reporter names who needed it.
    retry: 1,
    testTimeout: 240_000,
    hookTimeout: 600_000,
    reporters: [new ClosingLineReporter()],
  },
});
