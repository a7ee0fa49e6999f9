// What a one-file program does before anything else: with `--licences` alone it prints the licences that are inside it.
import { getAsset } from "node:sea";

export const LICENCES = "licences";

export async function startOrShowLicences(start: () => Promise<unknown>): Promise<void> {
  if (process.argv.length === 3 && process.argv[2] === "--licences") process.stdout.write(getAsset(LICENCES, "utf8"));
  else await start();
}
