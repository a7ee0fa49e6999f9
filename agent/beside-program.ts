// What is installed beside the agent's program: whoever could put another file there could put another program there.
import { dirname, join, resolve } from "node:path";

export function besideProgram(name: string): string {
  return join(dirname(resolve(process.argv[1] ?? "")), name);
}

/** The program that asks the system for its facts, beside `own`, as a bundle or as source. */
export function askingProgram(own: string): string {
  return own.endsWith(".cjs")
    ? own.replace(/\.cjs$/, "-inventory.cjs")
    : join(dirname(own), "inventory/inventory-main.ts");
}
