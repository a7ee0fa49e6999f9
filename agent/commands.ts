// What a person at the device can ask for, besides running the daemon: bind, status, journal.
import { readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { type DeploymentPackage, readPackage } from "../protocol/deployment.ts";
import { MAX_PACKAGE_BYTES } from "../protocol/limits.ts";
import { pinOf } from "../protocol/pin.ts";
import { Refusal, refuse } from "../protocol/refusal.ts";
import { bind, type BindOptions, noteRefusedBinding } from "./binding/bind.ts";
import { AgentFault } from "./fault.ts";
import { readJournal, verifyJournal } from "./state/journal.ts";
import { loadAdmission } from "./binding/key-follower.ts";
import { touchOwnerMark } from "./binding/owner-mark.ts";
import {
  type Environment,
  keepNetwork,
  type NetworkOptions,
  networkOf,
  withSystemProxy,
} from "./connection/network.ts";
import { proxyWords } from "../protocol/proxy-choice.ts";
import type { Paths } from "./paths.ts";
import { type Status, statusOf, writePublicStatus } from "./binding/public-status.ts";
import { makeStateFolder, State } from "./state/state.ts";
import { viewState } from "./state/view-state.ts";
import { journalWords, statusWords } from "./words.ts";

export type BindCommand = Omit<BindOptions, "state" | "consent"> & {
  readonly paths: Paths;
  readonly file: string;
  readonly trust: string | undefined;
  readonly rebind: boolean;
  /** To be kept, whatever becomes of the package: the relay is reached by it. */
  readonly network?: NetworkOptions;
  /** Whether a person sits at a terminal and can be asked. */
  readonly isInteractive: boolean;
};

/** Binds, and says in one line what was done. Throws a refusal or a fault; the device is then as it was. */
export async function bindCommand(command: BindCommand): Promise<string> {
  const { paths, now } = command;
  const state = State.open(paths.state);
  let offered: DeploymentPackage | undefined;
  try {
    if (command.network !== undefined) keepNetwork(paths.state, command.network);
    offered = readPackage(packageBytes(command.file), await loadAdmission());
    return await take(offered, state, command);
  } catch (error) {
    if (error instanceof Refusal) noteRefusal(error, { state, offered, paths, now });
    throw error;
  } finally {
    state.close();
  }
}

type Refused = Pick<BindCommand, "paths" | "now"> & {
  readonly state: State;
  readonly offered: DeploymentPackage | undefined;
};

function noteRefusal({ code, detail }: Refusal, { state, offered, paths, now }: Refused): void {
  noteRefusedBinding(state, { code, detail, offered, now });
  touchOwnerMark(paths, now);
  writePublicStatus(paths, state, now);
}

async function take(offered: DeploymentPackage, state: State, command: BindCommand): Promise<string> {
  const { paths, now } = command;
  const { name, epoch, tenant } = offered.state;
  const attempt = (confirmed: boolean) => bind(offered, { ...command, state, consent: { ...command, confirmed } });
  const decision = await askWhereAllowed(attempt, { command, name, pin: pinOf(tenant) });
  if (decision.type !== "keep") touchOwnerMark(paths, now);
  writePublicStatus(paths, state, now);
  return SAYS[decision.type](`${name} (epoch ${epoch})`);
}

const SAYS = {
  bind: (owner: string) => `bound to ${owner}`,
  rebind: (owner: string) => `owner changed: bound to ${owner}; the owner before is retired on this device for good`,
  update: (owner: string) => `still bound to ${owner}; took what was newer in the package`,
  keep: (owner: string) => `still bound to ${owner}; the package has nothing newer`,
};

/** Where only consent is missing and a person is there, that person is asked for the pin, which cannot be said by accident. */
async function askWhereAllowed<T>(
  attempt: (confirmed: boolean) => T,
  { command, name, pin }: { command: BindCommand; name: string; pin: string },
): Promise<T> {
  try {
    return attempt(false);
  } catch (error) {
    const canAsk = error instanceof Refusal && error.code === "trust-needed" && command.isInteractive;
    if (!canAsk) throw error;
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const typed = await terminal.question(
      `This device's owner will change to ${name}.\nType the first five characters of its pin, as its admin gave it to you: `,
    );
    terminal.close();
    if (typed.trim().toUpperCase() !== pin.slice(0, 5))
      throw refuse("package-trust", "the pin that was typed is another");
    return attempt(true);
  }
}

function packageBytes(file: string): Uint8Array {
  try {
    const { size } = statSync(file);
    if (size > MAX_PACKAGE_BYTES) throw refuse("package-form", `${size} bytes, at most ${MAX_PACKAGE_BYTES}`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new AgentFault("file-unreadable", `${file}: ${error instanceof Error ? error.message : ""}`, {
      cause: error,
    });
  }
}

/** The status in words or as JSON, from the private state or, for whoever may not read that, from the public file. */
export function statusCommand({ paths, json, now }: { paths: Paths; json: boolean; now: number }): string {
  const status = readStatus(paths, now);
  return json ? JSON.stringify(status, undefined, 1) : statusWords(status);
}

function readStatus({ state: folder, publicStatus }: Paths, now: number): Status {
  const state = State.view(folder);
  if (state === undefined) return readPublicStatus(publicStatus) ?? { bound: false, at: now };
  try {
    return statusOf(state, now);
  } finally {
    state.close();
  }
}

// Written by the agent, in a folder where nobody but the agent's user can write.
function readPublicStatus(path: string): Status | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EACCES"))
      return undefined;
    throw error;
  }
}

/** Keeps what was asked for, and says how relays are reached from the next dial on. A running daemon need not be told. */
export async function networkCommand({
  paths,
  json,
  env,
  platform,
  change,
}: {
  paths: Paths;
  json: boolean;
  env: Environment;
  platform: NodeJS.Platform;
  change: NetworkOptions;
}): Promise<string> {
  if (change.proxy !== undefined || change.ca !== undefined) {
    makeStateFolder(paths.state);
    keepNetwork(paths.state, change);
  }
  const { proxy, ca } = await withSystemProxy(networkOf(paths.state, env), platform, env);
  const via = proxyWords(proxy);
  if (json) return JSON.stringify({ proxy: proxy?.type === "proxy" ? via : "direct", ca: ca !== undefined });
  return `Proxy        ${via}\nAuthorities  Node's, the system's${ca === undefined ? "" : " and those set here"}`;
}

/** The journal in words or as JSON lines. Throws `not-bound` where there is no state, `journal-broken` where it does not verify. */
export function journalCommand({
  paths,
  json,
  last,
  verify,
}: {
  paths: Paths;
  json: boolean;
  last: number;
  verify: boolean;
}): string {
  const state = openedToLook(paths.state);
  try {
    if (verify) {
      const { from, to } = verifyJournal(state);
      return json
        ? JSON.stringify({ from, to })
        : `the chain holds from entry ${from} to entry ${to.seq}, hash ${to.hash}`;
    }
    const lines = readJournal(state, last);
    return lines.map((line) => (json ? JSON.stringify(line) : journalWords(line))).join("\n");
  } finally {
    state.close();
  }
}

function openedToLook(folder: string): State {
  const viewed = viewState(folder);
  if (viewed.type === "open") return viewed.state;
  const { code, says } = UNSEEN[viewed.type];
  throw new AgentFault(code, `${says}: ${folder}`);
}

const UNSEEN = {
  none: { code: "not-bound", says: "there is no state" },
  unreadable: { code: "file-unreadable", says: "not for this user" },
  odd: { code: "state-newer", says: "or is damaged" },
} as const;
