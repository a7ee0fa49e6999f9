// Devices that are bound to an organisation with a relay, to be left; and leaving cut off by a crash.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DAY } from "../cast/clock.ts";
import { Tenant } from "../cast/tenant.ts";
import { AgentProcess, systemClock } from "./agent-process.ts";
import { SmallRelay } from "./small-relay.ts";

const policy = { freshness: { mode: "off", maxAgeMs: DAY } } as const;

/** `others`: relays that its package names before the one that is returned. */
export async function bound({ others = [] }: { readonly others?: readonly string[] } = {}) {
  const acme = new Tenant({ clock: systemClock(), policy });
  const relay = await SmallRelay.open([acme]);
  const agent = new AgentProcess();
  agent.bound(acme, { deployment: { relays: [...others, relay.url] } });
  return { acme, relay, agent, state: agent.state, path: agent.path };
}

/** Leaves in a process that dies at its n-th look at a commit; answers whether it died. */
export async function diesLeaving(path: string, n: number): Promise<boolean> {
  const program = join(import.meta.dirname, "fault-leave.ts");
  const child = spawn(process.execPath, [program, path, String(n)], { stdio: ["ignore", "inherit", "inherit"] });
  await once(child, "exit");
  return child.signalCode === "SIGKILL";
}
