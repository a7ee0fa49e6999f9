// Who has come over after a reset, as text.
import { shortId } from "../devices/device-name.ts";
import type { Redeploy, RedeployRow } from "../tenant/redeploy.ts";
import { every } from "./either.ts";
import { plain } from "./escape.ts";
import { codeHint } from "./refused-words.ts";
import { table } from "./table.ts";
import { ago } from "./time.ts";

export async function redeployTable({ devices }: Redeploy, now: number): Promise<string> {
  const rows = devices.map((row) => [calledBefore(row), stateWords(row), presenceWords(row, now)]);
  return await table(["DEVICE", "NOW", "STATE"], rows);
}

/** `3 of 5 came over`, and what of the list is not known. */
export function redeployNotes({ total, cameOver, named, unknown }: Redeploy): readonly string[] {
  return [
    `${cameOver} of ${total} came over`,
    ...(named ? [] : ["names before the reset are not known in this home: hosts are as the devices signed them"]),
    ...(unknown.length === 0
      ? []
      : [`the relay has no devices of ${every(unknown)}, which this organisation replaces`]),
  ];
}

function calledBefore({ name, host, device }: RedeployRow): string {
  return name ?? plain(host ?? shortId(device));
}

function stateWords({ state, now, refused }: RedeployRow): string {
  switch (state) {
    case "came-over":
      return `came over as ${now?.name ?? "?"}`;
    case "asks":
      return "asks for admission: keybound devices --pending";
    case "bound":
      return "bound here, and has not reached the relay yet";
    case "elsewhere":
      return "WENT TO ANOTHER ORGANISATION";
    case "refused":
      return `refused the package: ${refusalWords(refused?.code ?? "")}`;
    case "uninstalled":
      return "its agent was uninstalled: it comes over when it is installed again with a new package";
    case "waits":
      return refused === undefined
        ? "not yet"
        : `not yet; refused a package of ${plain(refused.name)}: ${refused.code}`;
    default:
      throw new Error(`internal error: no words for ${JSON.stringify(state satisfies never)}`);
  }
}

function refusalWords(code: string): string {
  const hint = codeHint(code);
  return hint === undefined ? code : `${code}: ${hint}`;
}

function presenceWords({ online, seenAt, state }: RedeployRow, now: number): string {
  if (state === "came-over" || state === "asks") return "-";
  if (online === true) return "online";
  return seenAt === undefined ? "not seen" : `seen ${ago(seenAt, now)}`;
}
