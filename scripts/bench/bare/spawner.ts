/** A floor: a process as small as Node gets that runs a shell script as the agent does, and answers the milliseconds. */
import { spawn } from "node:child_process";
import { closeSync, openSync, unlinkSync, writeFileSync } from "node:fs";

/** A request: run this script, its source in a file of this name, this many times, one after the other. */
type Request = { readonly source: string; readonly file: string; readonly times: number };

/** From the spawn to the end of process and pipes; the source is an unlinked file that the shell reads by its descriptor. */
function runOnce({ source, file }: Request): Promise<void> {
  writeFileSync(file, source);
  const descriptor = openSync(file, "r");
  unlinkSync(file);
  const child = spawn("/bin/sh", ["/dev/fd/3"], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    detached: true,
    stdio: ["ignore", "pipe", "pipe", descriptor],
  });
  closeSync(descriptor);
  child.stdout?.resume();
  child.stderr?.resume();
  return new Promise((resolve, reject) => child.once("error", reject).once("close", () => resolve()));
}

async function answer(request: Request): Promise<void> {
  const start = performance.now();
  for (let n = 0; n < request.times; n++) await runOnce(request);
  process.send?.(performance.now() - start);
}

process.on("message", (request: Request) => {
  void answer(request);
});
process.on("disconnect", () => process.exit(0));
