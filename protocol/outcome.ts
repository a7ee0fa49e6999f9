// How a job ended on a device: one of these, whichever cause came first (SPEC 9.2).
import * as v from "valibot";
import { Digest, Id, label, Time, whole } from "./fields.ts";
import { MAX_CANCELLED_JOBS, MAX_FILE_BYTES } from "./limits.ts";
import { type Refusal, REFUSALS, type RefusalCode } from "./refusal.ts";
import { Occurrence } from "./runs.ts";
import { Version } from "./version.ts";

/** What a receipt has of a refusal's detail: a line. */
const MAX_DETAIL_UNITS = 200;

const codes = Object.keys(REFUSALS).filter((code): code is RefusalCode => Object.hasOwn(REFUSALS, code));

/** How far a job had got on the device when a cancel came that names it (SPEC 8.6). */
export const CancelState = v.picklist([
  /** It was running, and was ended. */
  "ended",
  /** It had been accepted and had not begun; it will not. */
  "was-waiting",
  /** It had not come; should it come, it will not run. */
  "barred",
  /** Not known here, and past its own end: it cannot run any more. */
  "expired",
  /** It had its answer, or ended by itself before the cancel ended it. */
  "had-ended",
  /** It was running, and agent or device went down before it had ended. */
  "lost",
  /** It had not come, and the ledger has no room to remember that it may not run. */
  "no-room",
  /** Another statement has this id here; that one was left alone. */
  "other-statement",
  /** It is a cancel, which nothing cancels. */
  "is-cancel",
]);
export type CancelState = v.InferOutput<typeof CancelState>;

/** After these the job neither runs nor will run here. */
const STOPPED: ReadonlySet<CancelState> = new Set(["ended", "was-waiting", "barred", "expired", "had-ended"]);

export const Outcome = v.variant("type", [
  v.strictObject({ type: v.literal("exited"), code: whole(0, 0xffffffff) }),
  v.strictObject({ type: v.literal("signalled"), signal: v.pipe(v.string(), v.regex(/^SIG[A-Z0-9]{1,12}$/)) }),
  v.strictObject({ type: v.literal("timed-out"), afterMs: whole(0, Number.MAX_SAFE_INTEGER) }),
  /** Both its streams together were longer than the bound that was signed. */
  v.strictObject({ type: v.literal("output-limit"), afterBytes: whole(0, Number.MAX_SAFE_INTEGER) }),
  /** Ended on purpose before it was done: the agent was stopped, its owner changed, it was uninstalled, or a signed cancel came. */
  v.strictObject({
    type: v.literal("cancelled"),
    by: v.picklist(["agent-stop", "owner-change", "uninstall", "key-revoked", "operator"]),
  }),
  /** The job was a cancel, and this is what became of the jobs that it names, in its order. */
  v.strictObject({
    type: v.literal("cancel-done"),
    jobs: v.pipe(
      v.array(v.strictObject({ job: Id, state: CancelState })),
      v.minLength(1),
      v.maxLength(MAX_CANCELLED_JOBS),
    ),
  }),
  /** The interpreter did not start; `error` is the system's word, such as `ENOENT`. */
  v.strictObject({ type: v.literal("not-started"), error: v.pipe(v.string(), v.regex(/^[A-Z0-9_]{1,40}$/)) }),
  /** The agent or the device went down while it ran; nobody knows how far it came, and it is never run again. */
  v.strictObject({ type: v.literal("lost") }),
  /** The job had said that it may restart the device, and the device was restarted. */
  v.strictObject({ type: v.literal("rebooted") }),
  /** It had been accepted, and expired before its turn came. */
  v.strictObject({ type: v.literal("expired") }),
  /** A file was read whole; it is the result. The sum is over the result's salt and the content. */
  v.strictObject({
    type: v.literal("fetched"),
    size: whole(0, MAX_FILE_BYTES),
    sha256: Digest,
    /** Where the platform has them. */
    mode: v.exactOptional(whole(0, 0o7777)),
    owner: v.exactOptional(label(104)),
    modifiedAt: Time,
  }),
  /** It was not read; `error` is the system's word, or `NOT_A_FILE`, `TOO_LARGE`, `CHANGED`, `NO_READER`. */
  v.strictObject({ type: v.literal("fetch-failed"), error: v.pipe(v.string(), v.regex(/^[A-Z0-9_]{1,40}$/)) }),
  /** The agent is now of this version, which has proved itself. */
  v.strictObject({ type: v.literal("updated"), version: Version }),
  /** It is not: the version was started so many times and did not prove itself, and another runs. */
  v.strictObject({
    type: v.literal("rolled-back"),
    version: Version,
    running: Version,
    tries: whole(0, 1_000),
  }),
  /**
   * Occurrences that never ran, from `from` to the receipt's own: a newer one was due before they had begun (`late`), or
   * the one before was still running (`running`).
   */
  v.strictObject({ type: v.literal("missed"), from: Occurrence, why: v.picklist(["late", "running"]) }),
  v.strictObject({
    type: v.literal("refused"),
    code: v.picklist(codes),
    detail: v.exactOptional(v.pipe(v.string(), v.maxLength(MAX_DETAIL_UNITS))),
  }),
]);
export type Outcome = Readonly<v.InferOutput<typeof Outcome>>;

/** Whether the job did what its author asked, as far as an exit code can say. */
export function isSuccess(outcome: Outcome): boolean {
  if (outcome.type === "cancel-done") return outcome.jobs.every(({ state }) => STOPPED.has(state));
  return (outcome.type === "exited" && outcome.code === 0) || ["rebooted", "fetched", "updated"].includes(outcome.type);
}

/** A refusal as an outcome, its detail cut to what a receipt may have. */
export function refusedOutcome({ code, detail }: Refusal): Extract<Outcome, { type: "refused" }> {
  const cut = detail.slice(0, MAX_DETAIL_UNITS).toWellFormed();
  return { type: "refused", code, ...(cut === "" ? {} : { detail: cut }) };
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
    case "output-limit":
      return `ended after ${outcome.afterBytes} bytes of output`;
    case "cancelled":
      return `cancelled by ${outcome.by}`;
    case "cancel-done":
      return `cancel done: ${cancelWords(outcome.jobs)}`;
    case "not-started":
      return `not started: ${outcome.error}`;
    case "fetched":
      return `fetched ${outcome.size} bytes`;
    case "fetch-failed":
      return `not fetched: ${outcome.error}`;
    case "updated":
      return `updated to ${outcome.version}`;
    case "rolled-back":
      return `rolled back to ${outcome.running}: ${outcome.version} failed ${outcome.tries} times`;
    case "missed":
      return `missed, ${outcome.why}`;
    case "refused":
      return `refused ${outcome.code}`;
    default:
      return outcome.type;
  }
}

/** `2 ended, 1 barred`. */
function cancelWords(jobs: readonly { readonly state: CancelState }[]): string {
  const counts = Map.groupBy(jobs, ({ state }) => state);
  return [...counts].map(([state, of]) => `${of.length} ${state}`).join(", ");
}

export const Stream = v.picklist(["stdout", "stderr"]);
export type Stream = v.InferOutput<typeof Stream>;
