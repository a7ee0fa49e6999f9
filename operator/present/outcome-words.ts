// How a job ended on a device, in words for people; logs and `--json` have the bare outcome.
import { type Outcome, outcomeWords } from "../../protocol/outcome.ts";
import { REFUSALS } from "../../protocol/refusal.ts";
import { cancelWords } from "./cancel-words.ts";
import { plain } from "./escape.ts";
import { span } from "./span.ts";

const CANCELLED: Readonly<Record<Extract<Outcome, { type: "cancelled" }>["by"], string>> = {
  "agent-stop": "the agent was stopped",
  "owner-change": "the device was given another owner",
  uninstall: "the agent was uninstalled before its turn came",
  "key-revoked": "its signer's key was revoked before its turn came",
  operator: "a signed cancel came",
};

/** What the system's words mean, where they are more than a name to look up. */
const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "its folder or program is not there",
  EACCES: "the system does not let this account run it there",
  E2BIG: "its arguments and environment are more than the system takes",
  ENOMEM: "the device is out of memory",
  EAGAIN: "the device has no room for another process",
  EMFILE: "the agent has too many files open",
};

/** The same of a file that was to be read, and the agent's own words for one that it does not send. */
const FILE_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "it is not there",
  EACCES: "the system does not let the agent read it",
  ELOOP: "a link stands at its place or leads to it",
  NOT_A_FILE: "it is a folder, a pipe or a device",
  TOO_LARGE: "it is larger than was asked for",
  CHANGED: "it became shorter while it was read",
  NO_READER: "the job names nobody who may read it",
};

/** Windows counts errors far beyond what a byte holds, and its own documents write them so. */
const MAX_PLAIN_CODE = 0xffff;

export function endingWords(outcome: Outcome): string {
  switch (outcome.type) {
    case "exited":
      return `exited ${outcome.code}${outcome.code > MAX_PLAIN_CODE ? ` (0x${outcome.code.toString(16).toUpperCase()})` : ""}`;
    case "timed-out":
      return `timed out after ${span(outcome.afterMs)}`;
    case "cancelled":
      return `cancelled by ${outcome.by}: ${CANCELLED[outcome.by]}`;
    case "cancel-done":
      return cancelWords(outcome);
    case "not-started":
      return `not started: ${systemWord(outcome.error, SYSTEM_WORDS)}`;
    case "fetch-failed":
      return `not fetched: ${systemWord(outcome.error, FILE_WORDS)}`;
    case "lost":
      return "lost: the agent or the device went down while it ran, and nobody knows how far it came";
    case "rebooted":
      return "rebooted: the device was started anew, as the job had said that it may be";
    case "expired":
      return "expired: the device had accepted it, and its turn did not come in time";
    case "rolled-back":
      return `rolled back: ${outcome.version} was started ${outcome.tries} times and did not prove itself; ${outcome.running} runs again`;
    case "missed":
      return outcome.why === "late"
        ? "missed: it had not begun when a newer one was due"
        : "missed: the one before was still running";
    case "refused": {
      const detail = outcome.detail === undefined ? "" : ` (${plain(outcome.detail)})`;
      return `refused ${outcome.code}: ${REFUSALS[outcome.code].says}${detail}`;
    }
    default:
      return outcomeWords(outcome);
  }
}

function systemWord(error: string, meanings: Readonly<Record<string, string>>): string {
  const means = Object.hasOwn(meanings, error) ? meanings[error] : undefined;
  return means === undefined ? error : `${error} (${means})`;
}
