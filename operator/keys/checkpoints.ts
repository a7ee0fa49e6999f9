// How far each colleague knows the key log, by the newest checkpoint that they signed. The relay pushes these; what was seen
// once stays known here, whatever it pushes later.
import { readCheckpointAnywhere } from "../../protocol/checkpoint.ts";
import { MAX_CLOCK_AHEAD_MS } from "../../protocol/limits.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { isKind } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";
import type { Vouch } from "../home/cache.ts";
import { type OddPlace, Standings } from "./standing.ts";

export type Checkpoints = {
  /** The newest that was ever seen of each active operator, by operator id. */
  readonly newest: ReadonlyMap<string, Vouch>;
  /** Operators who signed for a place that the log here does not have, by operator id. */
  readonly odd: ReadonlyMap<string, OddPlace>;
};

/**
 * What was pushed on this connection so far, with what this home knew before. Call it after an answer: checkpoints come right
 * after the welcome, so before any answer. Other pushes that are held are dropped.
 */
export async function takeCheckpoints(session: Session): Promise<Checkpoints> {
  const standings = new Standings(session);
  const odd = new Map<string, OddPlace>();
  for (const message of session.client.takePushes()) {
    if (!isKind(message, "checkpoint")) continue;
    for (const bytes of message.parts) await noteCheckpoint(session, bytes, { standings, odd });
  }
  return { newest: activeVouches(session), odd };
}

/** The newest checkpoints that this home knows, of those who are operators now. */
export function activeVouches({ desk: { cache }, state }: Session): ReadonlyMap<string, Vouch> {
  const active = new Set(state.operators.map(({ operator }) => operator));
  return new Map([...cache.vouches()].filter(([operator]) => active.has(operator)));
}

type Notes = { readonly standings: Standings; readonly odd: Map<string, OddPlace> };

/** Verifies a pushed checkpoint and remembers it; what nobody of the log signed, or a clock far ahead, is passed over. */
export async function noteCheckpoint(session: Session, bytes: Uint8Array, { standings, odd }: Notes): Promise<void> {
  const read = readIfSigned(session, bytes);
  if (read === undefined) return;
  const { operator, checkpoint } = read;
  const stands = await standings.of(checkpoint.keyHead);
  if (stands !== "known") odd.set(operator, { stands, place: checkpoint.keyHead });
  else if (checkpoint.time <= session.now + MAX_CLOCK_AHEAD_MS) session.desk.cache.keepVouch(operator, checkpoint);
}

type Signed = ReturnType<typeof readCheckpointAnywhere>;

function readIfSigned({ state }: Session, bytes: Uint8Array): Signed | undefined {
  try {
    return readCheckpointAnywhere(bytes, state);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
