// The output of an ended job, sealed to the readers that its manifest names, and what the receipt says of it.
import { digest } from "../protocol/digest.ts";
import { type KeptStream, sealOutput, summaryOf } from "../protocol/output.ts";
import type { Receipt, StreamSummary } from "../protocol/receipt.ts";
import type { Random } from "../protocol/seal.ts";

export type SealedResult = {
  readonly sealed: Uint8Array;
  readonly named: NonNullable<Receipt["result"]>;
  readonly output: readonly StreamSummary[];
};

/** `undefined` where the job wrote nothing or nobody may read it. */
export function sealResult(
  kept: readonly KeptStream[],
  { readers, statement, random }: { readers: readonly string[]; statement: string; random: Random },
): SealedResult | undefined {
  const written = kept.filter(({ size }) => size > 0);
  if (written.length === 0 || readers.length === 0) return undefined;
  const sealed = sealOutput(written, { readers, statement, random });
  return {
    sealed,
    named: { sha256: digest(sealed), size: sealed.length },
    output: written.map(summaryOf),
  };
}
