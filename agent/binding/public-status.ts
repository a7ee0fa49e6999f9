// What anybody on this machine may know of its owner, as one small file beside the private state.
import type { RefusedPackage } from "../../protocol/binding-report.ts";
import { pinOf } from "../../protocol/pin.ts";
import { isDiskFull } from "../fault.ts";
import type { Paths } from "../paths.ts";
import { lastRefusal } from "../state/journal.ts";
import { replaceFile } from "../state/replace-file.ts";
import { numberOf } from "../state/row.ts";
import type { State } from "../state/state.ts";
import { readOwner } from "./owner.ts";
import { refusedPackage } from "./refused-package.ts";

export type Status =
  | { readonly bound: false; readonly at: number }
  | {
      readonly bound: true;
      readonly at: number;
      readonly owner: string;
      readonly pin: string;
      readonly tenant: string;
      readonly epoch: number;
      readonly since: number;
      readonly deployment: string;
      readonly device: string;
      readonly name?: string;
      readonly class: string;
      readonly relays: readonly string[];
      readonly keyLog: {
        readonly seq: number;
        readonly operators: number;
        readonly closed: boolean;
        readonly forks: number;
      };
      readonly jobs: { readonly waiting: number; readonly running: number; readonly receiptsToSend: number };
      /** The last package that was refused since this owner is here. */
      readonly refusedPackage?: RefusedPackage & { readonly pin: string };
      readonly lastRefusal?: { readonly time: number; readonly entry: string };
    };

/** The status out of the state, as of `at`. */
export function statusOf(state: State, at: number): Status {
  const owner = readOwner(state);
  if (owner === undefined) return { bound: false, at };
  const refusal = lastRefusal(state);
  const refused = refusedPackage(state);
  const { keyState } = owner;
  return {
    bound: true,
    at,
    owner: keyState.name,
    pin: pinOf(owner.tenant),
    tenant: owner.tenant,
    epoch: keyState.epoch,
    since: owner.boundAt,
    deployment: owner.deployment,
    device: owner.device,
    ...(owner.name === undefined ? {} : { name: owner.name }),
    class: owner.class,
    relays: owner.relays,
    keyLog: {
      seq: keyState.head.seq,
      operators: keyState.operators.length,
      closed: keyState.closed,
      forks: keyState.forks.length,
    },
    jobs: {
      waiting: count(state, "SELECT COUNT(*) AS n FROM ledger WHERE state = 'waiting'"),
      running: count(state, "SELECT COUNT(*) AS n FROM ledger WHERE state = 'started'"),
      receiptsToSend: count(state, "SELECT COUNT(*) AS n FROM receipt WHERE stored = 0"),
    },
    ...(refused === undefined ? {} : { refusedPackage: { ...refused, pin: pinOf(refused.tenant) } }),
    ...(refusal === undefined ? {} : { lastRefusal: { time: refusal.time, entry: refusal.entry } }),
  };
}

/**
 * Replaces the public file in one step, as the only writer of this state: `bind` beside a running agent writes it too, and
 * what was read last is what stays. Job sources, outputs and keys are not in it. On a full disk it stays as it was: nothing
 * depends on it. Not to be called inside a transaction.
 */
export function writePublicStatus({ publicStatus }: Paths, state: State, at: number): void {
  try {
    state.write("public status", () =>
      replaceFile(publicStatus, `${JSON.stringify(statusOf(state, at), undefined, 1)}\n`, 0o644),
    );
  } catch (error) {
    if (!isDiskFull(error)) throw error;
  }
}

function count(state: State, sql: string): number {
  return numberOf(state.get(sql) ?? {}, "n");
}
