// What a stranger's bytes can be refused for: one closed list of codes, never reused, each with its sentence and hint.

/** A sentence, and room for a value and a bound. */
const MAX_DETAIL_CHARS = 300;

type Entry = { readonly says: string; readonly hint: string };

/** SPEC 12 has a paragraph for each code, and test/vectors/refusals has an input that only it refuses. */
export const REFUSALS = {
  // Envelope, SPEC 2
  "envelope-size": { says: "the envelope is larger than allowed", hint: "split the job over fewer devices" },
  "envelope-json": { says: "the envelope is not JSON", hint: "the file or message was cut or changed on its way" },
  "envelope-form": { says: "the envelope has other members than DSSE's", hint: "it was made by other software" },
  "envelope-base64": {
    says: "the envelope holds base64 that is not canonical",
    hint: "the message was changed on its way",
  },
  "envelope-type": {
    says: "the statement is not of the kind expected here",
    hint: "a newer version may have made it: update this program",
  },
  "envelope-signatures": { says: "the envelope has no signature, or more than allowed", hint: "sign it again" },
  "envelope-key-repeated": { says: "the envelope names one key twice", hint: "sign it again" },
  // Strict JSON, SPEC 2.3
  "json-size": { says: "the statement is larger than allowed", hint: "split it" },
  "json-utf8": { says: "the statement is not UTF-8", hint: "it was made by other software" },
  "json-depth": { says: "the statement is nested too deeply", hint: "it was made by other software" },
  "json-syntax": { says: "the statement is not JSON", hint: "it was cut or changed" },
  "json-top": { says: "the statement is not an object", hint: "it was made by other software" },
  "json-null": { says: "the statement holds null", hint: "it was made by other software" },
  "json-number": {
    says: "the statement holds a number that is not whole and below 2^53",
    hint: "it was made by other software",
  },
  "json-surrogate": { says: "the statement holds half a character", hint: "it was made by other software" },
  "json-key": {
    says: "the statement has a member with a name that is not allowed",
    hint: "it was made by other software",
  },
  "json-items": { says: "the statement has more members or items than allowed", hint: "split it" },
  "json-not-canonical": { says: "the statement is not in its canonical form", hint: "it was made by other software" },
  "field-missing": {
    says: "a field is missing",
    hint: "an older version may have made it: update the program that signs",
  },
  "field-unknown": { says: "a field is not known here", hint: "a newer version may have made it: update this program" },
  "field-invalid": {
    says: "a field has a value that is not allowed",
    hint: "see the field's type and bounds in the specification",
  },
  // Keys and signatures, SPEC 3
  "key-form": { says: "a public key is not the canonical form of a point", hint: "create the key again" },
  "key-small-order": {
    says: "a public key is of small order, so anybody could sign for it",
    hint: "create the key again; ask who made this one",
  },
  "code-commit": {
    says: "the revealed nonce is not the one that the request commits to",
    hint: "somebody changed the request or the nonce on the way: tell each other, and begin with a new request",
  },
  "key-torsion": {
    says: "a public key is not in the prime-order group",
    hint: "create the key again; ask who made this one",
  },
  "signature-bad": {
    says: "a signature does not fit the statement",
    hint: "the statement was changed after it was signed",
  },
  "signer-unknown": {
    says: "no key that is known here signed",
    hint: "the signer may belong to another organisation, or the key log here is older",
  },
  "signer-revoked": {
    says: "the key that signed is no longer valid",
    hint: "have a colleague with an active key sign",
  },
  "signer-role": {
    says: "the role of the key that signed does not allow this",
    hint: "have somebody with the role sign",
  },
  "signer-expired": { says: "the key that signed has reached its end date", hint: "change the key, then sign again" },
  "signer-delayed": {
    says: "the key that signed was recovered, or approved by one that was, and is still in its waiting time",
    hint: "wait, or have a colleague sign",
  },
  "signers-few": { says: "fewer people signed than the policy asks for", hint: "have another operator sign as well" },
  // Key log, SPEC 4
  "tenant-other": {
    says: "the statement belongs to another organisation",
    hint: "check which organisation you are working for",
  },
  "tenant-closed": {
    says: "the organisation's key log was closed",
    hint: "redeploy with the package of its successor",
  },
  "log-gap": { says: "entries of the log are missing before this one", hint: "fetch the log from the relay again" },
  "log-fork": {
    says: "another entry already has this place in the log",
    hint: "two people signed at once, or somebody tries to rewrite history: fetch the log and sign again",
  },
  "log-full": {
    says: "the log is full; only revocations are still taken",
    hint: "start a new log with a tenant reset",
  },
  "log-key-reused": { says: "a key that was used before cannot come back", hint: "create a new key" },
  "log-proof-missing": { says: "the new key did not sign its own admission", hint: "create the request again" },
  "log-request-other": {
    says: "the entry carries a request for another key than the one it admits",
    hint: "have the request made again",
  },
  "log-last-admin": { says: "this would leave nobody who can approve keys", hint: "make somebody else an admin first" },
  "log-operator-unknown": {
    says: "the log knows no such active operator",
    hint: "list operators and choose one of them",
  },
  "log-operator-exists": {
    says: "this operator is there already",
    hint: "replace or change that operator's key instead",
  },
  "log-operators-many": { says: "there are as many operators as allowed", hint: "revoke an operator who has left" },
  "log-no-change": { says: "the entry would change nothing", hint: "nothing is to be done" },
  "log-lifetime": { says: "the key would be valid for longer than allowed", hint: "choose an earlier end date" },
  // Roster, SPEC 5
  "roster-device-unknown": { says: "the roster has no such device", hint: "list devices and choose one of them" },
  "roster-device-exists": { says: "the device is in the roster already", hint: "nothing is to be done" },
  "roster-device-removed": {
    says: "the device was removed, and its enrolment token does not bring it back",
    hint: "admit it by hand after checking it",
  },
  "roster-name-taken": { says: "another device has this name", hint: "choose another name" },
  "roster-backdated": {
    says: "the entry names an older key log than the entry before it",
    hint: "fetch the key log and sign again",
  },
  "roster-token-unknown": { says: "the roster has no such enrolment token", hint: "make a new deployment package" },
  // Deployment and binding, SPEC 6
  "package-form": {
    says: "the file is not a whole deployment package",
    hint: "copy the file again; it may have been cut",
  },
  "package-trust": {
    says: "the package belongs to another organisation than the one named by --trust",
    hint: "use the package that came with this --trust value",
  },
  "package-expired": { says: "the deployment package has passed its end date", hint: "make a new package" },
  "package-anchor": {
    says: "the package's key log does not reach the state that it was signed at",
    hint: "make a new package",
  },
  "tenant-retired": {
    says: "this device has left that organisation's key log for good",
    hint: "use a package made after the reset",
  },
  "epoch-older": {
    says: "the package is of an older epoch than this device's owner",
    hint: "use a package made after the reset",
  },
  "owner-other": {
    says: "this device belongs to another organisation",
    hint: "as its administrator, bind with --rebind and --trust if the owner really changes",
  },
  "trust-needed": {
    says: "the owner would change, and nobody on this device has said that it may",
    hint: "repeat with --trust and the value that was printed with the package",
  },
  // Enrolment, SPEC 6.4
  "device-id": { says: "the device's id is not the fingerprint of its key", hint: "bind the device again" },
  "token-proof": {
    says: "the proof of the enrolment token does not fit",
    hint: "admit the device by hand after checking it, or bind it with a fresh package",
  },
  "token-expired": {
    says: "the enrolment token has passed its end date",
    hint: "admit the device by hand, or make a new package",
  },
  "token-spent": {
    says: "the enrolment token has been used as often as allowed",
    hint: "admit the device by hand, or make a new package",
  },
  // Jobs, SPEC 8
  "agent-old": { says: "the job needs a newer agent", hint: "update the agent on this device" },
  "device-other": { says: "the job is not for this device", hint: "sign a job that names this device" },
  "job-not-yet": {
    says: "the job was signed in this device's future",
    hint: "check the clocks of the signer and of this device",
  },
  "job-expired": { says: "the job has expired", hint: "sign it again" },
  "job-lifetime": { says: "the job's time window is not allowed", hint: "choose an earlier end" },
  "job-repeated": {
    says: "this device took this job before; it is never run twice",
    hint: "sign a new job to run it again",
  },
  "job-id-reused": { says: "another job with this id was taken before", hint: "sign a new job" },
  "job-log-unknown": {
    says: "the signer knows key events that this device cannot get",
    hint: "the relay may be withholding them; check its connection",
  },
  "job-log-fork": {
    says: "the signer's key log differs from this device's",
    hint: "somebody may be showing you another log: compare the head codes",
  },
  "job-stale": {
    says: "nobody else has vouched for the key log for longer than the policy allows",
    hint: "have a colleague unlock their client",
  },
  "ledger-full": {
    says: "the device remembers as many unfinished jobs as it can",
    hint: "wait until jobs have expired",
  },
  "body-sealed": {
    says: "the job's body does not open with this device's key",
    hint: "the relay changed it, or the device was enrolled anew: sign the job again",
  },
  "body-digest": {
    says: "the job's body is not the one that was signed",
    hint: "the relay or the signer's program changed it",
  },
  "shell-absent": {
    says: "the job's interpreter is not on this device",
    hint: "install it, or choose another --shell",
  },
  "user-absent": {
    says: "the user whom the job names is not on this device, or nobody is logged on",
    hint: "choose a user who is, or send it when somebody is",
  },
  "user-denied": {
    says: "the agent may not run jobs as this user here",
    hint: "run the agent as root, or sign the job for the agent's own user",
  },
  "platform-lacks": { says: "this platform cannot do what the job asks", hint: "leave out the option for this device" },
  "file-absent": {
    says: "a file of the job did not come from the relay in time",
    hint: "send the job again: its files are uploaded with it",
  },
  "file-digest": { says: "a file of the job is not the one that was signed", hint: "the relay changed or cut it" },
  "file-place": {
    says: "a file of the job cannot be put where it should stand",
    hint: "make its folder first, writable only by its owner or root and reached without links",
  },
  "disk-short": { says: "the device has not enough free disk space", hint: "free some, or send less" },
  // Releases and updates, SPEC 8.10
  "release-keyless": {
    says: "this build has no release keys, so it takes no update",
    hint: "install the new version by its package: later builds have keys",
  },
  "release-unsigned": {
    says: "no key that this build trusts for releases has signed the release",
    hint: "it is somebody else's, or its key came after this build: install it by its package",
  },
  "release-forged": {
    says: "a signature under the release does not fit its key",
    hint: "the release was changed: get it again from where it is published",
  },
  "release-other": {
    says: "the release does not name this file for this version and platform",
    hint: "use the files of one release together",
  },
  "update-platform": {
    says: "the update is for another platform than this device's",
    hint: "send it the one for its platform",
  },
  "update-older": {
    says: "the update is not newer than the version that runs",
    hint: "go back by a new release, or by the package on the device",
  },
  "update-place": {
    says: "this agent cannot replace itself where it is installed",
    hint: "update it the way it was installed: by its package, or by hand",
  },
  "update-archive": {
    says: "the update does not hold an agent's files, whole and no others",
    hint: "the release was made wrongly: ask who made it",
  },
  // Receipts, SPEC 9
  "receipt-chain": {
    says: "the receipt does not follow the one before it",
    hint: "receipts are missing, or the device was cloned or set back",
  },
  "output-digest": { says: "the output is not what the device signed", hint: "the relay changed or cut it" },
  "output-sealed": { says: "the output does not open with this key", hint: "it was sealed to other readers" },
  // Relay login and frames, SPEC 10
  "login-challenge": { says: "the login answers another challenge", hint: "connect again" },
  "login-relay": {
    says: "the login was made for another relay or connection",
    hint: "connect by the name that the relay serves",
  },
  "login-unknown": {
    says: "the relay does not know this key",
    hint: "the device may have been removed, or the tenant is on another relay",
  },
  "access-expired": {
    says: "the client's access has ended, or has not begun",
    hint: "unlock with the passphrase once to renew it; check the clock",
  },
  "frame-form": { says: "a frame is not of the form agreed", hint: "the two programs may be of different versions" },
} as const satisfies Record<string, Entry>;

export type RefusalCode = keyof typeof REFUSALS;

/** The message is the code and the detail: `envelope-size: 140000 bytes, at most 131072`. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: RefusalCode;
  readonly detail: string;

  constructor(code: RefusalCode, detail: string) {
    const safe = printable(detail);
    super(safe === "" ? code : `${code}: ${safe}`);
    this.code = code;
    this.detail = safe;
  }

  get hint(): string {
    return REFUSALS[this.code].hint;
  }

  /** One sentence for a person, without the hint. */
  get sentence(): string {
    return REFUSALS[this.code].says;
  }
}

/** The refusal to throw. `detail` names the value and the bound, in lower case, and never a secret. */
export function refuse(code: RefusalCode, detail = ""): Refusal {
  return new Refusal(code, detail);
}

export function isRefusalCode(text: string): text is RefusalCode {
  return Object.hasOwn(REFUSALS, text);
}

// A detail may quote what a stranger wrote: it is cut, and nothing in it can steer a terminal or break a log line.
function printable(detail: string): string {
  return detail
    .slice(0, MAX_DETAIL_CHARS)
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
