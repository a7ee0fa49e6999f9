// Requests for keys that wait at the relay, each proved to be what its keys signed; who made it is for a person to find out.
import { statementId, readEnvelope } from "../../protocol/envelope.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { type KeyRequest, readKeyRequest } from "../../protocol/key-request.ts";
import { longCode } from "../../protocol/key-approval.ts";
import type { KeyLogState, Operator } from "../../protocol/key-state.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { Fault } from "../fault.ts";
import { partAt } from "../connection/relay-client.ts";
import type { Session } from "../connection/session.ts";

export type WaitingRequest = {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly request: KeyRequest;
  /** By the relay's word. */
  readonly filedAt: number;
  readonly online: boolean;
  /** For `replace`: whose key it would be. */
  readonly replaces: Operator | undefined;
};

/** Those that could be approved, oldest first; what a relay made up or mixed in is passed over. */
export async function waitingRequests({ client, state }: Session): Promise<readonly WaitingRequest[]> {
  const { header, parts } = await client.ask("requests", { type: "list-requests" });
  return header.requests.flatMap(({ request: id, filedAt, online }, i) => {
    const bytes = partAt(parts, i);
    const request = ownRequest(bytes, { id, state });
    if (request === undefined) return [];
    const replaces = state.operators.find(({ operator }) => operator === request.operator);
    const fits = (request.purpose === "replace") === (replaces !== undefined);
    return fits ? [{ id, bytes, request, filedAt, online, replaces }] : [];
  });
}

function ownRequest(
  bytes: Uint8Array,
  { id, state }: { readonly id: string; readonly state: KeyLogState },
): KeyRequest | undefined {
  try {
    if (statementId(readEnvelope(bytes)) !== id) return undefined;
    const { request } = readKeyRequest(bytes, admitKey);
    return request.tenant === state.tenant ? request : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** The one that is meant by a name, the beginning of its code, or nothing where only one waits. */
export function findRequest(waiting: readonly WaitingRequest[], typed: string | undefined): WaitingRequest {
  const plain = typed?.toUpperCase().replace(/[\s-]/g, "");
  const isMeant = ({ request, id }: WaitingRequest) =>
    typed === undefined ||
    request.name.toLowerCase() === typed.toLowerCase() ||
    (plain !== undefined && plain.length >= 4 && longCode(id).replaceAll("-", "").startsWith(plain));
  const meant = waiting.filter(isMeant);
  const [only, another] = meant;
  if (only === undefined) throw new Fault("request-unknown", typed ?? "");
  if (another !== undefined) {
    const codes = meant.map(({ id, request }) => `${request.name} ${longCode(id).slice(0, 5)}`);
    throw new Fault("request-ambiguous", codes.join(", "));
  }
  return only;
}
