// The doctor: looks at all that this device needs, changes nothing, and works beside a running agent and without rights.
import { readFileSync } from "node:fs";
import type { InterpreterContext } from "../run/interpreter.ts";
import { AgentFault } from "../fault.ts";
import type { Machine } from "../machine.ts";
import {
  type Environment,
  type Network,
  networkOf,
  networkOfEnvironment,
  withSystemProxy,
} from "../connection/network.ts";
import { readOwner } from "../binding/owner.ts";
import type { Paths } from "../paths.ts";
import { seeVersions, type Versions } from "../update/versions.ts";
import { diskFinding, permissionFindings } from "./file-findings.ts";
import { failed, type Finding } from "./finding.ts";
import { findDaemon } from "./find-daemon.ts";
import { containmentFindings, interpreterFindings } from "./job-findings.ts";
import { proxyFinding, relayFindings } from "./relay-findings.ts";
import { serviceFindings } from "./service-findings.ts";
import { stateFindings, unboundFindings, UNSEEN } from "./state-findings.ts";
import { versionFindings } from "./version-findings.ts";
import { type Viewed, viewState } from "../state/view-state.ts";

export type DoctorOptions = {
  readonly paths: Paths;
  readonly machine: Machine;
  readonly agent: string;
  readonly versions: Versions;
  readonly env: Environment;
  readonly interpreters: InterpreterContext;
  readonly now: () => number;
};

/** Stable, with its texts left out: those are for people. */
export type Diagnosis = {
  readonly version: 1;
  readonly agent: string;
  readonly at: number;
  /** Nothing has failed. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
};

export async function diagnose(options: DoctorOptions): Promise<Diagnosis> {
  const { paths, interpreters, agent, now } = options;
  const { platform } = interpreters;
  const daemon = findDaemon(paths.state, platform);
  const { findings, relays, isSeen } = lookAtState(options);
  const named = () => (isSeen ? networkOf(paths.state, options.env) : networkOfEnvironment(options.env));
  const network = () => withSystemProxy(named(), platform, options.env);
  const all = [
    ...findings,
    ...permissionFindings(paths.state, platform),
    ...(await serviceFindings(daemon, platform)),
    ...versionFindings(options.versions),
    ...(await reach(relays, network, now)),
    diskFinding(paths.state),
    ...containmentFindings(daemon, platform),
    ...interpreterFindings(interpreters),
  ];
  return { version: 1, agent, at: now(), ok: all.every(({ level }) => level !== "failed"), findings: all };
}

type StateFindings = {
  readonly findings: readonly Finding[];
  readonly relays: readonly string[];
  readonly isSeen: boolean;
};

function lookAtState({ paths, machine, versions, now }: DoctorOptions): StateFindings {
  const viewed = viewState(paths.state);
  if (viewed.type === "odd" && seeVersions(versions).trial !== undefined)
    return { findings: UNSEEN.tried, relays: publicRelays(paths.publicStatus), isSeen: true };
  if (viewed.type !== "open") return unseen(viewed, paths);
  const { state } = viewed;
  try {
    const owner = readOwner(state);
    if (owner === undefined) return { findings: unboundFindings(), relays: [], isSeen: true };
    return { findings: stateFindings({ state, owner, machine, now: now() }), relays: owner.relays, isSeen: true };
  } finally {
    state.close();
  }
}

/** Whoever may not read the state may read who owns the device, and by which relays. */
function unseen({ type }: Exclude<Viewed, { type: "open" }>, { publicStatus }: Paths): StateFindings {
  const isSeen = type !== "unreadable";
  return { findings: UNSEEN[type], relays: isSeen ? [] : publicRelays(publicStatus), isSeen };
}

function publicRelays(file: string): readonly string[] {
  try {
    const status: { readonly relays?: readonly string[] } = JSON.parse(readFileSync(file, "utf8"));
    return status.relays ?? [];
  } catch {
    // Not there, or not to be read: then nothing is known of relays, and the state's own finding says why.
    return [];
  }
}

async function reach(
  relays: readonly string[],
  network: () => Promise<Network>,
  now: () => number,
): Promise<readonly Finding[]> {
  try {
    const found = await network();
    return [proxyFinding(found), ...(await relayFindings(relays, { network: found, now }))];
  } catch (error) {
    if (!(error instanceof AgentFault)) throw error;
    return [failed("relay", `${error.sentence}: ${error.message}`, error.hint)];
  }
}
