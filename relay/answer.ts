// Carrying out one request: its answer, or a `failed` with its number; and what is logged of it.
import type { Frame } from "../protocol/frame.ts";
import type { JsonObject } from "../protocol/strict-json.ts";
import { refuse } from "../protocol/refusal.ts";
import { type Connection, failureOf, isExpected } from "./connection.ts";
import type { Relay } from "./relay.ts";
import { Trouble } from "./trouble.ts";

/**
 * Runs what a frame asks for. Where that throws and the frame has a number, the peer is answered `failed` and stays;
 * without one the throw goes on, and the connection ends; but a full disk is not the peer's fault, and ends nothing.
 */
export function answering(relay: Relay, connection: Connection, { header }: Frame, act: () => void): void {
  try {
    act();
  } catch (error) {
    const rid = ridOf(header);
    if (rid === undefined && !isStorageTrouble(error)) throw error;
    report(relay, connection, error);
    if (rid !== undefined) connection.send({ type: "failed", rid, ...failureOf(error) });
  }
}

/** Stores what can be done without: where the disk is full it is reported and left. */
export function storingIfPossible(relay: Relay, connection: Connection, store: () => void): void {
  try {
    store();
  } catch (error) {
    if (!isStorageTrouble(error)) throw error;
    report(relay, connection, error);
  }
}

function isStorageTrouble(error: unknown): boolean {
  return error instanceof Trouble && error.code === "busy";
}

/** Counts a failure; a fault of our own, or of the disk, is logged. */
export function report({ metrics, log }: Relay, { address }: Pick<Connection, "address">, error: unknown): void {
  const code = isExpected(error) ? error.code : "internal";
  metrics.failure(code);
  if (code === "internal") log.error({ address, err: error }, "failed at a frame");
  else if (code === "busy" && error instanceof Error) log.error({ address, reason: error.message }, "could not store");
}

/** The part at an index. Throws `frame-form` where the frame has another count of parts. */
export function partsOf({ parts }: Frame, count: number): readonly Uint8Array[] {
  if (parts.length !== count) throw refuse("frame-form", `${parts.length} parts, must be ${count}`);
  return parts;
}

/** The one part of a frame. */
export function partOf(frame: Frame): Uint8Array {
  const [part] = partsOf(frame, 1);
  if (part === undefined) throw refuse("frame-form", "no part");
  return part;
}

function ridOf(header: JsonObject): number | undefined {
  const rid = header["rid"];
  return typeof rid === "number" && Number.isSafeInteger(rid) && rid > 0 ? rid : undefined;
}
