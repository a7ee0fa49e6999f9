// The asking process: prints this device's facts as JSON, and ends.
import { collectFacts } from "./facts.ts";

async function main(): Promise<void> {
  process.stdout.write(`${JSON.stringify(await collectFacts())}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
