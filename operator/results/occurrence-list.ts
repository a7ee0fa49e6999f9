// What a device has answered to a job that comes round: each receipt verified, newest first, and what the relay leaves out named.
import type { Receipt } from "../../protocol/receipt.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import type { Session } from "../connection/session.ts";
import { MAX_SHOWN_OCCURRENCES } from "../limits.ts";
import { type Asked, readAnswer, verifyChain } from "./read-result.ts";

/** One receipt: of one occurrence, or of a range of missed ones. */
export type Answered = { readonly receipt: Receipt; readonly id: string };

export type OccurrenceList = {
  /** Newest first, as many as are shown. */
  readonly answers: readonly Answered[];
  /** Whether the relay has older ones. */
  readonly more: boolean;
  /** Occurrences between those shown of which the relay showed no receipt: withheld, or lost by the device. */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
};

/** Throws a refusal for a receipt that does not verify or does not stand in the device's chain. */
export async function readOccurrences(session: Session, asked: Asked, device: RosterDevice): Promise<OccurrenceList> {
  const ask = { type: "list-answers", job: asked.manifest.job, device: device.device };
  const { header, parts } = await session.client.ask("receipts", ask);
  const shown = parts.slice(0, MAX_SHOWN_OCCURRENCES);
  const answers: Answered[] = [];
  for (const envelope of shown) {
    const read = readAnswer(envelope, { asked, device, tenant: session.state.tenant });
    await verifyChain(session, device, read);
    answers.push(read);
  }
  return { answers, more: header.more || parts.length > shown.length, gaps: gapsIn(answers) };
}

/** The lowest occurrence that a receipt is about. */
export function firstOf({ occurrence = 1, outcome }: Receipt): number {
  return outcome.type === "missed" ? outcome.from : occurrence;
}

function gapsIn(answers: readonly Answered[]): OccurrenceList["gaps"] {
  return answers.flatMap(({ receipt }, at) => {
    const older = answers[at + 1]?.receipt.occurrence;
    const [from, to] = [(older ?? 0) + 1, firstOf(receipt) - 1];
    return older === undefined || from > to ? [] : [{ from, to }];
  });
}
