// Why the relay does not do what it was asked, where no refusal of the protocol says it: a closed list of codes (SPEC 10.5).

export const TROUBLES = {
  "claim-unknown": "the claim code is not known, has been used or has expired",
  "tenant-unknown": "this relay has no such tenant",
  "tenant-exists": "this relay has the tenant already",
  "device-unknown": "this relay has no such device",
  "job-unknown": "this relay has no such job",
  "rate-limited": "too many messages or connections",
  quota: "the relay keeps as much as it may",
  busy: "the relay cannot store anything now",
  "login-timeout": "no login came in time",
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
