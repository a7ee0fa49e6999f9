// What a relay's refusal, or the failure to reach it, is called here.
import { dialWords } from "../../protocol/proxy-choice.ts";
import { isRefusalCode, refuse } from "../../protocol/refusal.ts";
import { Fault, type FaultCode, systemCode } from "../fault.ts";
import { plain } from "../present/escape.ts";

const TLS_CODES = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO)/;

/** The relay's own errors that have a fault of their own. */
const NAMED: Readonly<Record<string, FaultCode>> = {
  "claim-unknown": "claim-refused",
  "tenant-unknown": "pin-unknown",
  "tenant-reset": "tenant-reset",
  "session-over": "session-over",
  "request-unknown": "request-unknown",
  "request-rejected": "request-rejected",
  "newcomer-away": "newcomer-away",
  "device-unknown": "device-unknown",
  "job-unknown": "job-unknown",
  "proposal-unknown": "proposal-unknown",
  "blob-unknown": "blob-unknown",
};

/** A failed dial or a broken connection. `way` is how it was dialled, without credentials. */
export function dialFault(error: Error, url: string, way: string): Fault {
  const code = systemCode(error);
  if (code !== undefined && TLS_CODES.test(code)) {
    return new Fault("relay-tls", `${url} (${code}), ${way}`, { cause: error });
  }
  if (code === "ERR_PROXY_TUNNEL") {
    return new Fault("proxy-refused", `${plain(dialWords(error.message)).slice(0, 300)}, ${way}`, { cause: error });
  }
  return new Fault("relay-unreachable", `${url} (${code ?? error.message}), ${way}`, { cause: error });
}

/** What the relay said no with: a refusal where it names one of the protocol's, else a fault. Its words are a stranger's. */
export function refusedBy({ code, message }: { readonly code: string; readonly message: string }): Error {
  const detail = plain(message);
  if (isRefusalCode(code)) return refuse(code, detail);
  const named = NAMED[code];
  return named === undefined ? new Fault("relay-refused", `${plain(code)}: ${detail}`) : new Fault(named, detail);
}
