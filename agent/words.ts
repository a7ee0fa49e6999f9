// Status and journal in words for a person at the device.
import * as v from "valibot";
import type { Status } from "./binding/public-status.ts";
import type { JournalLine } from "./state/journal.ts";

export function statusWords(status: Status): string {
  if (!status.bound) return "This device has no owner.\n  to bind it: keybound-agent bind FILE --trust PIN";
  const { keyLog, jobs, refusedPackage: refused, lastRefusal } = status;
  const rows = [
    `Owner       ${status.owner} (epoch ${status.epoch}), pin ${status.pin}`,
    `Since       ${when(status.since)}, by deployment ${status.deployment}`,
    `Device      ${status.name ?? "not yet admitted, or not yet told its name"}, ${status.device}, class ${status.class}`,
    `Relays      ${status.relays.join(" ")}`,
    `Key log     entry ${keyLog.seq}, ${keyLog.operators} active ${keyLog.operators === 1 ? "key" : "keys"}${keyLog.closed ? ", closed" : ""}`,
    ...(keyLog.forks > 0 ? [`Forks       ${keyLog.forks} seen: somebody signed two histories; tell the owner`] : []),
    `Jobs        ${jobs.running} running, ${jobs.waiting} waiting, ${jobs.receiptsToSend} receipts to send`,
    ...(refused === undefined
      ? []
      : [
          `Not taken   ${when(refused.time)}: the package of ${refused.name} (epoch ${refused.epoch}), pin ${refused.pin}: ${refused.code}`,
        ]),
    `Last refusal ${lastRefusal === undefined ? "none" : `${when(lastRefusal.time)}: ${entryWords(lastRefusal.entry)}`}`,
    `As of       ${when(status.at)}`,
  ];
  return rows.join("\n");
}

export function journalWords({ seq, time, entry }: JournalLine): string {
  return `${String(seq).padStart(6)}  ${when(time)}  ${entryWords(entry)}`;
}

const Entry = v.looseObject({ type: v.string() });

/** The type, then the rest as `name value`. */
function entryWords(entry: string): string {
  const { type, time: _time, ...rest } = v.parse(Entry, JSON.parse(entry));
  const fields = Object.entries(rest).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.join(",") : String(value)}`,
  );
  return [type, ...fields].join("  ");
}

function when(time: number): string {
  return new Date(time).toISOString().replace(".000Z", "Z");
}
