// How a job ended on a device: one of these, whichever cause came first (SPEC 9.2).
import * as v from "valibot";
import { whole } from "./fields.ts";
import { REFUSALS, type RefusalCode } from "./refusal.ts";

const codes = Object.keys(REFUSALS).filter((code): code is RefusalCode => Object.hasOwn(REFUSALS, code));

export const Outcome = v.variant("type", [
  v.strictObject({ type: v.literal("exited"), code: whole(0, 0xffffffff) }),
  v.strictObject({ type: v.literal("signalled"), signal: v.pipe(v.string(), v.regex(/^SIG[A-Z0-9]{1,12}$/)) }),
  v.strictObject({ type: v.literal("timed-out"), afterMs: whole(0, Number.MAX_SAFE_INTEGER) }),
  /** Ended on purpose before it was done: the agent was stopped, its owner changed, or a signed cancel came. */
  v.strictObject({
    type: v.literal("cancelled"),
    by: v.picklist(["agent-stop", "owner-change", "key-revoked", "operator"]),
  }),
  /** The interpreter did not start; `error` is the system's word, such as `ENOENT`. */
  v.strictObject({ type: v.literal("not-started"), error: v.pipe(v.string(), v.regex(/^[A-Z0-9_]{1,40}$/)) }),
  /** The agent or the device went down while it ran; nobody knows how far it came, and it is never run again. */
  v.strictObject({ type: v.literal("lost") }),
  /** The job had said that it may restart the device, and the device was restarted. */
  v.strictObject({ type: v.literal("rebooted") }),
  /** It had been accepted, and expired before its turn came. */
  v.strictObject({ type: v.literal("expired") }),
  v.strictObject({
    type: v.literal("refused"),
    code: v.picklist(codes),
    detail: v.exactOptional(v.pipe(v.string(), v.maxLength(200))),
  }),
]);
export type Outcome = Readonly<v.InferOutput<typeof Outcome>>;

/** Whether the job did what its author asked, as far as an exit code can say. */
export function isSuccess(outcome: Outcome): boolean {
  return (outcome.type === "exited" && outcome.code === 0) || outcome.type === "rebooted";
}

/** `exited 1`, `refused job-expired`: the words used in tables and logs. */
export function outcomeWords(outcome: Outcome): string {
  switch (outcome.type) {
    case "exited":
      return `exited ${outcome.code}`;
    case "signalled":
      return `ended by ${outcome.signal}`;
    case "timed-out":
      return `timed out after ${outcome.afterMs} ms`;
    case "cancelled":
      return `cancelled by ${outcome.by}`;
    case "not-started":
      return `not started: ${outcome.error}`;
    case "refused":
      return `refused ${outcome.code}`;
    default:
      return outcome.type;
  }
}

export const Stream = v.picklist(["stdout", "stderr"]);
export type Stream = v.InferOutput<typeof Stream>;
