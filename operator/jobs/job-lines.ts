// A job in full, for somebody who is to sign it: everything that decides what happens on its devices, with nothing that could
// hide or steer what is read.
import { fromBase64url } from "../../protocol/bytes.ts";
import type { CancelBody } from "../../protocol/cancel-body.ts";
import type { JobBody, Limits } from "../../protocol/job-body.ts";
import { isFileName, type JobFile } from "../../protocol/job-file.ts";
import type { JobWork } from "../../protocol/job-work.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { readRelease } from "../../protocol/release.ts";
import type { UpdateBody } from "../../protocol/update-body.ts";
import { secretVariables } from "../library/secret-variables.ts";
import { every } from "../present/either.ts";
import { plain } from "../present/escape.ts";
import { pinnedKeys } from "../release/release-keys.ts";
import { scheduleWords } from "./schedule-words.ts";
import { left, span } from "../present/span.ts";
import { date } from "../present/time.ts";
import type { ProposedJob } from "../cosign/proposed-job.ts";

export function jobLines({ manifest, targets, counted, needed, work }: ProposedJob, now: number): readonly string[] {
  const { expiresAt, notBefore } = manifest;
  const begins = notBefore > now ? `from ${date(notBefore)} ` : "";
  return [
    `job         ${manifest.job}`,
    `signed by   ${every(counted.operators.map(({ name }) => plain(name)))} on ${date(manifest.issuedAt)}; ${needed} must sign`,
    ...counted.passedOver.map((words) => `            the signature of ${words} does not count`),
    ...counted.operators
      .filter(({ delayMs }) => delayMs > 0)
      .map(({ name }) => `            ${plain(name)} recovered: devices may count that signature only later`),
    `devices     ${targets.map((device) => `${device.name} (${device.class})`).join(", ")}`,
    `runs        ${begins}until ${date(expiresAt)}, which is in ${left(expiresAt - now)}`,
    ...scheduleWords(manifest, work.kind === "run" ? work.body.window : undefined).map(
      (words) => `when        ${words}`,
    ),
    ...workLines(work),
  ];
}

function workLines(work: JobWork): readonly string[] {
  switch (work.kind) {
    case "run":
      return runLines(work.body);
    case "cancel":
      return cancelLines(work.body);
    case "fetch":
      return [`fetches     ${shown(work.body.path)}, up to ${work.body.maxBytes} bytes, for the readers of the job`];
    case "update":
      return updateLines(work.body);
    default:
      throw new Error(`internal error: no lines for ${JSON.stringify(work satisfies never)}`);
  }
}

/** Whether the release is one at all, the devices ask their own builds' keys; here it is asked of this one's. */
function updateLines(body: Omit<UpdateBody, "salt">): readonly string[] {
  const { version, platform, archive } = body;
  const sum = Buffer.from(archive.sha256, "base64url").toString("hex");
  return [
    `updates     the agent to ${version} for ${platform}`,
    `            ${archive.size} bytes, sha256 ${sum}`,
    `            ${releaseWords(body)}`,
  ];
}

function releaseWords({ release }: Pick<UpdateBody, "release">): string {
  try {
    const { signers } = readRelease(fromBase64url(release) ?? new Uint8Array(0), pinnedKeys());
    return `its release is signed by ${signers.join(", ")}`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `its release DOES NOT VERIFY here: ${error.sentence}`;
  }
}

function cancelLines({ jobs }: CancelBody): readonly string[] {
  return jobs.map(
    ({ job, statement, expiresAt }) => `cancels     ${job} (until ${date(expiresAt)}), statement ${statement}`,
  );
}

export function runLines(body: JobBody): readonly string[] {
  const secrets = secretVariables(body);
  const { label, shell, args, env, cwd, user, limits, lock, mayReboot, leave, stdin, source, files = [] } = body;
  return [
    ...(label === undefined ? [] : [`label       ${shown(label)}`]),
    `by          ${shell === "exec" ? "no shell" : shell}`,
    `as          ${userWords(user)}`,
    `in          ${cwd === undefined ? "the root folder" : shown(cwd)}`,
    `limits      ${limitWords(limits).join("; ")}`,
    ...(leave === true ? ["leaves      processes in the background live on"] : []),
    ...(lock === undefined ? [] : [`lock        ${lock}`]),
    ...(mayReboot ? ["may reboot  a restart of the device counts as success"] : []),
    ...env.map(({ name, value }) =>
      secrets.has(name)
        ? `variable    ${name}: a secret of ${value.length} characters, which is not shown`
        : `variable    ${name}=${shown(value)}`,
    ),
    ...(stdin === undefined ? [] : [`stdin       ${fromBase64url(stdin)?.length ?? 0} bytes, which are not shown`]),
    ...files.flatMap(fileLines),
    ...args.map((arg, at) => `${`argument ${at + 1}`.padEnd(11)} ${shown(arg)}`),
    ...(source === undefined ? [] : ["source", ...source.split("\n").map((line) => `  | ${shown(line)}`)]),
  ];
}

function userWords(user: JobBody["user"]): string {
  switch (user.as) {
    case "system":
      return "the system";
    case "console":
      return "whoever is logged on at the device";
    case "sessions":
      return "each active session's user, once in each";
    default:
      return `user ${shown(user.name)}`;
  }
}

function limitWords(limits: Limits): readonly string[] {
  const { timeMs, outputBytes, endAtOutputBytes, processes, memoryBytes, priority } = limits;
  return [
    `ended after ${span(timeMs)}`,
    `${outputBytes} bytes of each stream are kept`,
    ...(endAtOutputBytes === undefined ? [] : [`ended after ${endAtOutputBytes} bytes of output`]),
    ...(processes === undefined ? [] : [`${processes} processes at once`]),
    ...(memoryBytes === undefined ? [] : [`${memoryBytes} bytes of memory`]),
    ...(priority === undefined ? [] : [`${priority} priority`]),
  ];
}

function fileLines({ path, size, sha256, mode, owner }: JobFile): readonly string[] {
  const whose = owner === undefined ? "" : `, of user ${shown(owner)}`;
  const where = isFileName(path) ? `${shown(path)} in the job's own folder` : shown(path);
  return [
    `file        ${where}: ${size} bytes, mode ${(mode ?? 0o600).toString(8).padStart(4, "0")}${whose}`,
    `            SHA-256 ${Buffer.from(sha256, "base64url").toString("hex")}`,
  ];
}

/** Besides what steers a terminal: what is not seen, and spaces that are none to a shell. Tabs stay. */
const UNSEEN = /[\p{Cf}\u{115f}\u{1160}\u{3164}\u{ffa0}]|(?! )\p{Zs}/gu;

/** A line with what steers a terminal, and what is not seen, written out; tabs stay. */
export function shown(text: string): string {
  return text
    .split("\t")
    .map((piece) => plain(piece).replace(UNSEEN, written))
    .join("\t");
}

function written(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
