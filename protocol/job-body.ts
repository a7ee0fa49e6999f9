// The body of a job of kind `run`: everything that decides what happens on the device, sealed to it and named by hash in the manifest (SPEC 8.3).
import * as v from "valibot";
import { fromBase64url } from "./bytes.ts";
import { Bytes, Digest, label, readFields, whole, Word } from "./fields.ts";
import { JobFiles } from "./job-file.ts";
import {
  MAX_ARGUMENT_CHARS,
  MAX_ARGUMENTS,
  MAX_BODY_BYTES,
  MAX_ENVIRONMENT,
  MAX_JOB_PROCESSES,
  MAX_JOB_TIME_MS,
  MAX_OUTPUT_BYTES,
  MAX_PATH_CHARS,
  MIN_JOB_MEMORY_BYTES,
} from "./limits.ts";
import { Window } from "./window.ts";

/** `exec` runs an argument vector without a shell. */
export const Shell = v.picklist(["sh", "bash", "zsh", "powershell", "pwsh", "cmd", "python", "exec"]);
export type Shell = v.InferOutput<typeof Shell>;

const noNul = v.check((value: string) => !value.includes("\0"), "text without NUL");
const Argument = v.pipe(v.string(), v.maxLength(MAX_ARGUMENT_CHARS), noNul);
const Path = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_PATH_CHARS), noNul);
const Base64url = v.pipe(
  v.string(),
  v.check((spelling) => fromBase64url(spelling) !== undefined, "unpadded base64url"),
);
const Variable = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_()]{0,127}$/)),
  value: Argument,
});

/** What bounds a job while it runs. */
export const Limits = v.strictObject({
  timeMs: whole(1, MAX_JOB_TIME_MS),
  /** Kept of each stream. */
  outputBytes: whole(0, MAX_OUTPUT_BYTES),
  /** The job is ended when both streams together are longer. */
  endAtOutputBytes: v.exactOptional(Bytes),
  /** How many may live at once. */
  processes: v.exactOptional(whole(1, MAX_JOB_PROCESSES)),
  /** Of all its processes together. */
  memoryBytes: v.exactOptional(whole(MIN_JOB_MEMORY_BYTES, Number.MAX_SAFE_INTEGER)),
  priority: v.exactOptional(v.picklist(["low", "normal", "high"])),
});
export type Limits = Readonly<v.InferOutput<typeof Limits>>;

/** Limits that a platform may not be able to apply; a receipt names those that were not (SPEC 9.1). */
export const PlatformLimit = v.picklist(["processes", "memoryBytes", "priority"]);
export type PlatformLimit = v.InferOutput<typeof PlatformLimit>;

const JobBody = v.pipe(
  v.strictObject({
    /** 32 random bytes, so that the digest in the manifest confirms no guess of a script. */
    salt: Digest,
    /** What the signer calls the job. */
    label: v.exactOptional(label(120)),
    shell: Shell,
    /** The script; absent for `exec`. */
    source: v.exactOptional(v.pipe(v.string(), noNul)),
    /** Arguments of the script, or for `exec` the program's absolute path and its arguments. */
    args: v.pipe(v.array(Argument), v.maxLength(MAX_ARGUMENTS)),
    /** Added to the documented minimum; nothing else reaches the job. */
    env: v.pipe(
      v.array(Variable),
      v.maxLength(MAX_ENVIRONMENT),
      v.check((env) => new Set(env.map(({ name }) => name)).size === env.length, "distinct names"),
    ),
    /** Absolute; the root or system drive where absent. */
    cwd: v.exactOptional(Path),
    user: v.variant("as", [
      v.strictObject({ as: v.literal("system") }),
      /** Whoever is logged on at the device's own screen. */
      v.strictObject({ as: v.literal("console") }),
      /** Once in each active session, as the user whose session it is. */
      v.strictObject({ as: v.literal("sessions") }),
      v.strictObject({ as: v.literal("user"), name: v.pipe(v.string(), v.regex(/^[^\s:/\\\0]{1,104}$/)) }),
    ]),
    /** Bytes for standard input, base64url; closed where absent. */
    stdin: v.exactOptional(Base64url),
    limits: Limits,
    /** Jobs of one lock run one after the other on a device. */
    lock: v.exactOptional(Word),
    /** It begins only in these hours of the device's own wall clock. */
    window: v.exactOptional(Window),
    /** Whether ending by a restart of the device is what was meant. */
    mayReboot: v.boolean(),
    /** What is left of it when its first process has ended by itself lives on. */
    leave: v.exactOptional(v.literal(true)),
    /** Put in place before the job starts, all of them or none. */
    files: v.exactOptional(JobFiles),
  }),
  v.check(
    ({ shell, source, args }) => (shell === "exec" ? source === undefined && args.length > 0 : source !== undefined),
    "a source for a shell, and for exec none but an argument vector",
  ),
);
export type JobBody = Readonly<v.InferOutput<typeof JobBody>>;

/** Throws a `json-*` or `field-*` refusal. */
export function readBody(bytes: Uint8Array): JobBody {
  return readFields(JobBody, bytes, MAX_BODY_BYTES);
}
