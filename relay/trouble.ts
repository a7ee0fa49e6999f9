// Why the relay does not do what it was asked, where no refusal of the protocol says it: a closed list of codes (SPEC 10.6).

export const TROUBLES = {
  "claim-unknown": "the claim code is not known, has been used or has expired",
  "tenant-unknown": "this relay has no such tenant",
  "tenant-exists": "this relay has the tenant already",
  "tenant-reset": "the tenant was reset here, and another one with this pin has taken its place",
  "device-unknown": "this relay has no such device",
  "job-unknown": "this relay has no such job",
  "request-unknown": "this relay has no such open request",
  "request-rejected": "the request was rejected",
  "newcomer-away": "whoever filed the request is not connected",
  "session-unknown": "nobody who is connected offered this approval",
  "proposal-unknown": "this relay has no such proposal",
  "blob-unknown": "this relay has not the whole of this file",
  "rate-limited": "too many messages or connections",
  quota: "the relay keeps as much as it may",
  busy: "the relay cannot store anything now",
  "login-timeout": "no login came in time",
  "session-over": "the connection has lasted as long as a newcomer's may",
} as const;
export type TroubleCode = keyof typeof TROUBLES;

/** Thrown to answer a request, or end a connection, with its code. */
export class Trouble extends Error {
  override readonly name = "Trouble";
  readonly code: TroubleCode;

  constructor(code: TroubleCode, detail = "") {
    super(detail === "" ? TROUBLES[code] : `${TROUBLES[code]}: ${detail}`);
    this.code = code;
  }
}
