// The output of an ended job, sealed to the readers that its manifest names.
import { type KeptStream, type SealedOutput, sealOutput } from "../../protocol/output.ts";
import type { Random } from "../../protocol/seal.ts";

/** `undefined` where the job wrote nothing or nobody may read it. */
export function sealResult(
  kept: readonly KeptStream[],
  sealing: { readers: readonly string[]; statement: string; random: Random },
): SealedOutput | undefined {
  const written = kept.filter(({ size }) => size > 0);
  return written.length === 0 || sealing.readers.length === 0 ? undefined : sealOutput(written, sealing);
}
