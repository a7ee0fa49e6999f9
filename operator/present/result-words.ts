// A device's result in words, on one line.
import { isSuccess } from "../../protocol/outcome.ts";
import { isRefusalCode, REFUSALS } from "../../protocol/refusal.ts";
import type { Receipt } from "../../protocol/receipt.ts";
import type { DeviceResult } from "../results/watch-jobs.ts";
import { plain } from "./escape.ts";
import { endingWords } from "./outcome-words.ts";

export function resultWords(result: DeviceResult): string {
  switch (result.type) {
    case "answered": {
      return endingWords(result.receipt.outcome) + notes(result.receipt);
    }
    case "untrusted":
      return `NOT VERIFIED ${plain(result.error.message)}: ${result.error.sentence}`;
    case "refused-unsigned":
      return `refused ${noteWords(result.note)} (by the device's word, not signed)`;
    case "expired":
      return "expired before the device took it (by the relay's word)";
    default:
      throw new Error(`internal error: no words for ${JSON.stringify(result satisfies never)}`);
  }
}

const CONTAINED: Readonly<Record<Receipt["contained"], string>> = {
  yes: "",
  unknown: "",
  no: "; processes of it may still run",
  left: "; it left processes running, as signed",
};

function notes({ contained, unenforced = [] }: Receipt): string {
  const limits = unenforced.length === 0 ? "" : `; not enforced there: ${unenforced.join(", ")}`;
  return CONTAINED[contained] + limits;
}

/** A device's note is a stranger's text, unless it is a code. */
export function noteWords(note: string): string {
  return isRefusalCode(note) ? `${note}: ${REFUSALS[note].says}` : plain(note);
}

/** What to do about it, where something is to be done. */
export function resultHint(result: DeviceResult): string | undefined {
  if (result.type === "untrusted") return result.error.hint;
  if (result.type === "refused-unsigned") return isRefusalCode(result.note) ? REFUSALS[result.note].hint : undefined;
  if (result.type !== "answered" || result.receipt.outcome.type !== "refused") return undefined;
  return REFUSALS[result.receipt.outcome.code].hint;
}

export function hasSucceeded(result: DeviceResult | undefined): boolean {
  return result?.type === "answered" && isSuccess(result.receipt.outcome);
}
