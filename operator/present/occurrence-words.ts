// The receipts of a job that comes round, a line each, and as JSON.
import { outcomeWords } from "../../protocol/outcome.ts";
import { type Answered, firstOf, type OccurrenceList } from "../results/occurrence-list.ts";
import { plain } from "./escape.ts";
import { date } from "./time.ts";

export function occurrenceLines(name: string, { answers, more, gaps }: OccurrenceList): readonly string[] {
  const lines = answers.map(({ receipt }) => {
    const { finishedAt, outcome, runsLeft = 0 } = receipt;
    const left = runsLeft === 0 ? "the last" : `${runsLeft} left`;
    return `${name} ${placeWords(receipt)}: ${plain(outcomeWords(outcome))}, ${date(finishedAt)}, ${left}`;
  });
  const missing = gaps.map(({ from, to }) => `${name} #${from} to #${to}: NO RECEIPT SHOWN by the relay`);
  return [...lines, ...missing, ...(more ? [`${name} older ones are not listed here`] : [])];
}

/** `#7`, `#3 to #6`. */
function placeWords(receipt: Answered["receipt"]): string {
  const { occurrence } = receipt;
  if (occurrence === undefined) return "as a whole";
  const first = firstOf(receipt);
  return first === occurrence ? `#${occurrence}` : `#${first} to #${occurrence}`;
}

export function occurrencesJson(list: OccurrenceList | undefined): object {
  if (list === undefined) return {};
  const occurrences = list.answers.map(({ receipt, id }) => {
    const { seq, occurrence, runsLeft, outcome, startedAt, finishedAt } = receipt;
    const started = startedAt === undefined ? {} : { startedAt };
    return { id, seq, occurrence, runsLeft, outcome, ...started, finishedAt };
  });
  return { occurrences, more: list.more, gaps: list.gaps };
}
