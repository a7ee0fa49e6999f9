// What headers of frames are made of besides the fields of statements (SPEC 10.3).
import * as v from "valibot";
import { whole } from "./fields.ts";

/** Number of a request; the answer carries it back. */
export const rid = whole(1, Number.MAX_SAFE_INTEGER);
/** A text of up to so many units. */
export const chars = (max: number) => v.pipe(v.string(), v.maxLength(max));

export const LogName = v.picklist(["key", "roster"]);
export type LogName = v.InferOutput<typeof LogName>;

/** How far a job has come on its way to one device, as the relay sees it. */
export const DeliveryState = v.picklist(["queued", "sent", "taken", "answered", "expired"]);
export type DeliveryState = v.InferOutput<typeof DeliveryState>;
