// What the state says: who owns this device, whether its clock can be right, how old its key log is, and how full its lists are.
import { lastWord } from "../../protocol/checkpoint.ts";
import { MAX_CLOCK_AHEAD_MS, MAX_LEDGER_JOBS } from "../../protocol/limits.ts";
import { pinOf } from "../../protocol/pin.ts";
import { outboxLoad } from "../answers/outbox.ts";
import { heardAtPlace, isOwnMachine, type Owner, readVouches } from "../binding/owner.ts";
import { refusedPackage } from "../binding/refused-package.ts";
import { countJobs } from "../jobs/ledger.ts";
import { MAX_OUTBOX_BYTES, MAX_OUTBOX_RECEIPTS } from "../limits.ts";
import type { Machine } from "../machine.ts";
import type { State } from "../state/state.ts";
import { failed, type Finding, mebibytes, ok, span, warning } from "./finding.ts";

const AS_ROOT = "run it as root, or as the user whose state it is";
const REINSTALL = "install the version that wrote it, or a later one; a file that is damaged is restored or bound anew";
const TO_BIND = "keybound-agent bind FILE --trust PIN, with the package that the owner's admin made";

/** Where there is no state to be read. */
export const UNSEEN = {
  none: [failed("binding", "this device has no owner", TO_BIND)],
  unreadable: [
    warning("binding", "the state cannot be read by this user, so half of the checks are left out", AS_ROOT),
  ],
  tried: [
    warning(
      "binding",
      "the state is with the version that is on trial, so half of the checks are left out",
      "wait until that is decided, half an hour at the most: what it changed is put back where it fails",
    ),
  ],
  odd: [failed("binding", "the state is of another version of the agent, or damaged", REINSTALL)],
} as const;

export type StateLook = {
  readonly state: State;
  readonly owner: Owner;
  readonly machine: Machine;
  readonly now: number;
};

export function unboundFindings(): readonly Finding[] {
  return UNSEEN.none;
}

export function stateFindings(look: StateLook): readonly Finding[] {
  return [...binding(look), clock(look), ...keyLog(look), room(look)];
}

function binding({ state, owner, machine }: StateLook): readonly Finding[] {
  const { keyState, device, name, boundAt } = owner;
  const who = `${keyState.name} (epoch ${keyState.epoch}), pin ${pinOf(owner.tenant)}, since ${iso(boundAt)}`;
  if (!isOwnMachine(owner, machine))
    return [
      failed(
        "binding",
        `bound to ${who}, on another machine: this disk was copied`,
        "keybound-agent bind FILE with the owner's package makes a device of its own of it",
      ),
    ];
  const refused = refusedPackage(state);
  return [
    ok("binding", `bound to ${who}`),
    name === undefined
      ? warning(
          "binding",
          `device ${device} is not admitted yet, or was not told its name`,
          "an admin admits it: keybound devices",
        )
      : ok("binding", `device ${name}, ${device}, class ${owner.class}`),
    ...(refused === undefined
      ? []
      : [
          warning(
            "binding",
            `a package of ${refused.name} (epoch ${refused.epoch}) was refused on ${iso(refused.time)}: ${refused.code}`,
            "docs/refusals.md says what the code means; a package of the owner that is taken ends this warning",
          ),
        ]),
  ];
}

function clock({ owner, now }: StateLook): Finding {
  if (now >= owner.floor) return ok("clock", `${iso(now)}, not before the last time that was proved`);
  const behind = owner.floor - now;
  const says = `${iso(now)}, ${span(behind)} behind ${iso(owner.floor)}, which a signed statement proves to be past`;
  return (behind > MAX_CLOCK_AHEAD_MS ? failed : warning)(
    "clock",
    says,
    "set this machine's clock; the agent goes on by the later time",
  );
}

function keyLog({ state, owner, now }: StateLook): readonly Finding[] {
  const { keyState } = owner;
  const { head, closed, forks } = keyState;
  const heard = heardAtPlace(state, head.seq);
  const age = heard === undefined ? "" : `, heard ${span(now - heard)} ago`;
  if (closed) return [failed("key-log", `entry ${head.seq}${age}: its owner closed it`, TO_BIND)];
  return [
    ok("key-log", `entry ${head.seq}${age}`),
    ...(forks.length === 0
      ? []
      : [
          warning(
            "key-log",
            `${forks.length} forks were seen: somebody signed two histories`,
            "tell the owner's admins",
          ),
        ]),
    freshness({ state, owner, now }),
  ];
}

/** Until when jobs run if no operator is heard from any more (SPEC 4.5). */
function freshness({ state, owner, now }: Omit<StateLook, "machine">): Finding {
  const { mode, maxAgeMs } = owner.keyState.policy.freshness;
  const vouches = readVouches(state);
  const able = owner.keyState.operators.filter(({ role }) => role !== "auditor");
  const [last = 0, second = 0] = able.map((one) => lastWord(one, vouches)).toSorted((a, b) => b - a);
  if (mode === "off") return ok("key-log", "the policy sets no bound on its age");
  if (mode === "any" || able.length < 2)
    return ok(
      "key-log",
      `a job's own signature vouches for it, at most ${span(maxAgeMs)} long; last word ${iso(last)}`,
    );
  const hint = "one of the owner's operators runs keybound unlock, or any command, while this device is connected";
  if (last + maxAgeMs < now)
    return failed(
      "key-log",
      `no operator vouched for ${span(now - last)}: jobs of one signer are refused as job-stale`,
      hint,
    );
  const says = `last vouched for ${span(now - last)} ago; with no further word the last job runs on ${iso(last + maxAgeMs)}`;
  if (second + maxAgeMs < now)
    return warning(
      "key-log",
      `${says}; jobs of the one who vouched last are refused as job-stale until another does`,
      hint,
    );
  return ok("key-log", says);
}

function room({ state }: Pick<StateLook, "state">): Finding {
  const jobs = countJobs(state);
  const { receipts, bytes } = outboxLoad(state);
  const fill = Math.max(jobs / MAX_LEDGER_JOBS, receipts / MAX_OUTBOX_RECEIPTS, bytes / MAX_OUTBOX_BYTES);
  const says = `${jobs} of ${MAX_LEDGER_JOBS} jobs remembered; ${receipts} receipts (${mebibytes(bytes)}) wait for a relay`;
  const hint = "what waits for a relay goes when one is reached; jobs are forgotten when they have expired";
  if (fill >= 1) return failed("room", `${says}: new jobs are refused as ledger-full`, hint);
  return fill >= 0.8 ? warning("room", says, hint) : ok("room", says);
}

function iso(time: number): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z");
}
