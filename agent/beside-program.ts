// What is installed beside the agent's program: whoever could put another file there could put another program there.
import { dirname, join, resolve } from "node:path";

export function besideProgram(name: string): string {
  return join(dirname(resolve(process.argv[1] ?? "")), name);
}
