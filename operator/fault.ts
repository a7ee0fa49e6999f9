// What can go wrong at an operator's desk that is nobody's forged statement: one closed list of codes, each with its sentence and hint.

type Entry = { readonly says: string; readonly hint: string };

export const FAULTS = {
  // The relay and the line to it
  "relay-unreachable": {
    says: "the relay does not answer",
    hint: "check that it runs, its address in the home folder's config.json, and the network",
  },
  "relay-tls": {
    says: "the relay's certificate is not trusted here",
    hint: "use a name that the certificate has, or name its authority by NODE_EXTRA_CA_CERTS=FILE",
  },
  "proxy-refused": {
    says: "the proxy does not let us through to the relay",
    hint: "ask who runs it to let CONNECT to this host and port through; its user and password stand in its URL, wherever that is named",
  },
  "proxy-form": {
    says: "what is named there is no proxy that we can use",
    hint: "http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with each odd character as %XX; direct for none; SOCKS is not supported",
  },
  "relay-refused": { says: "the relay refused", hint: "see the relay's log" },
  "relay-behind": {
    says: "the relay shows an older log than this client has verified",
    hint: "it was restored from a backup, or hides entries on purpose: ask who runs it; nothing was changed here",
  },
  "blob-unknown": {
    says: "the relay has not the whole of a file that the job brings",
    hint: "send the job again from here: its files are uploaded with it",
  },
  "relay-odd": {
    says: "the relay answered what no relay should",
    hint: "it may be of another version, or lie; nothing that it said was used",
  },
  "claim-refused": {
    says: "the relay does not take this claim code",
    hint: "a code is good for one tenant: have the relay print a new one",
  },
  "clock-off": {
    says: "this clock and the relay's differ by more than ten minutes",
    hint: "set this machine's clock; if the relay's is the wrong one, repeat with --ignore-clock",
  },
  // Passphrase and key
  "passphrase-wrong": {
    says: "this is not the passphrase",
    hint: "type it again; forgotten: keybound key forgot",
  },
  "passphrase-weak": {
    says: "the passphrase is too easy to guess",
    hint: "take the generated words, or a few unrelated words of your own",
  },
  "passphrase-odd": {
    says: "the passphrase is empty or has control characters",
    hint: "it is one line of text",
  },
  "passphrase-differs": { says: "the passphrase was not typed the same twice", hint: "start again" },
  "passphrase-needed": {
    says: "a passphrase is needed, and there is no terminal to ask at",
    hint: "give it by --passphrase-file FILE or --passphrase-fd N",
  },
  "recovery-needed": {
    says: "it was not said whether a recovery file is to be made, and there is no terminal to ask at",
    hint: "--recovery-file FILE with --recovery-passphrase-file FILE, or --no-recovery-file",
  },
  "recovery-form": {
    says: "this is no recovery file of ours",
    hint: "it is an age file that keybound key recovery-file wrote: take it from where you keep it",
  },
  "recovery-passphrase": {
    says: "this is not the recovery file's passphrase",
    hint: "it has one of its own, not your key's; if it is lost, an admin has to approve your next key: keybound key forgot",
  },
  "recovery-dead": {
    says: "this recovery file does nothing any more",
    hint: "it was used, or a newer one was made; without that one an admin has to approve your next key: keybound key forgot",
  },
  "operator-unknown": {
    says: "the organisation has no such operator",
    hint: "keybound status shows those that it has",
  },
  "operator-ambiguous": {
    says: "more than one person is meant",
    hint: "use the beginning of the id: keybound status --json",
  },
  "request-unknown": {
    says: "nobody of this name waits for a key",
    hint: "keybound key requests shows who waits; they ask with keybound key create, or keybound key forgot",
  },
  "request-ambiguous": {
    says: "more than one request is meant",
    hint: "use the beginning of the code that the person sees: keybound key approve CODE",
  },
  "request-none": {
    says: "this home waits for no key",
    hint: "keybound key forgot asks for a new key; keybound status shows the one that you have",
  },
  "request-rejected": {
    says: "the request for a key was rejected, by the relay's word",
    hint: "ask an admin why; keybound key create or keybound key forgot asks again",
  },
  "request-spent": {
    says: "this request was taken up too often without the digits being right",
    hint: "wait an hour, tell each other what was seen, then make a new request: keybound key forgot, or keybound key create",
  },
  "newcomer-away": {
    says: "the person is not there to be called",
    hint: "have them run keybound key request, or take their 20-character code: keybound key approve --code",
  },
  "code-differs": {
    says: "these are not the digits that this request shows",
    hint: "somebody may stand between you: nothing was approved, and all admins will see it; call each other again, and if it comes again use --code",
  },
  "long-code-only": {
    says: "digits were wrong ten times within thirty days, so only the 20-character code is taken",
    hint: "keybound key approve --code; find out who changes requests on their way",
  },
  "approval-late": {
    says: "nobody answered within ten minutes",
    hint: "call each other, then begin again",
  },
  "passphrase-only-forbidden": {
    says: "the organisation takes no key that hangs on a passphrase alone",
    hint: "leave out --passphrase-only",
  },
  "setup-code": {
    says: "this is no setup code, or it was mistyped",
    hint: "it begins with KB1- and was shown when the key was made",
  },
  "tenant-reset": {
    says: "this organisation was reset, by the relay's word: another one of later epoch took its place",
    hint: "have the colleague who did it tell you its pin, and create a key there: keybound key create; if you did it and it was interrupted, repeat keybound tenant reset",
  },
  "session-over": {
    says: "the relay waits no longer than half an hour",
    hint: "keybound key request goes on waiting to be called",
  },
  "copy-form": { says: "this is no copy of an organisation", hint: "keybound tenant reset writes one" },
  "close-few": {
    says: "the closing waits for another admin",
    hint: "have them run the command above, or revoke keys that nobody can use any more, then repeat; without --old-passphrase-file nothing is closed",
  },
  "pin-unknown": {
    says: "the relay has no organisation with this pin",
    hint: "have an admin read the pin to you from keybound status, and check the relay's address",
  },
  "key-not-active": {
    says: "your signature key is not active in the key log",
    hint: "it was revoked or replaced, or is not approved yet: ask an admin; for a new key: keybound key forgot",
  },
  "prompt-policy": {
    says: "the organisation's policy asks for the passphrase more often",
    hint: "keybound prompt shows what it allows",
  },
  "holder-unsafe": {
    says: "others on this machine could reach the key holder",
    hint: "its folder has to be yours alone: chmod 700 on it, or remove it",
  },
  "holder-failed": {
    says: "the key holder did not start, so the key is not kept unlocked",
    hint: "type the passphrase at each task, or try again: keybound unlock",
  },
  "holder-gone": {
    says: "the key was locked while the command was at work",
    hint: "repeat the command, and type the passphrase",
  },
  "yes-needed": {
    says: "this has to be confirmed, and there is no terminal to ask at",
    hint: "read what it would do above, then repeat with --yes",
  },
  "acknowledge-needed": {
    says: "nobody has acknowledged that a lost passphrase cannot be restored",
    hint: "read it, then repeat with --acknowledge",
  },
  "not-confirmed": { says: "it was not confirmed", hint: "nothing was changed" },
  // Devices and groups
  "device-unknown": { says: "the roster has no such device", hint: "keybound devices shows those that it has" },
  "device-ambiguous": { says: "more than one device is meant", hint: "use its whole name or more of its id" },
  "device-gone": {
    says: "it takes no job any more, as the device itself signed",
    hint: "installed or bound again it is another device: keybound devices --pending; keybound devices remove NAME takes the old one out",
  },
  "device-not-pending": {
    says: "no device that asks for admission is called so",
    hint: "keybound devices --pending shows those that ask",
  },
  "device-name": {
    says: "a device cannot be called so",
    hint: "letters, digits, dot, dash and underscore, at most 63, and a letter or digit first",
  },
  "group-unknown": { says: "the roster has no such group", hint: "keybound group shows those that it has" },
  "group-empty": { says: "the group has no devices", hint: "keybound group add GROUP DEVICE..." },
  "no-targets": { says: "there is no device to run it on", hint: "admit devices first: keybound devices --pending" },
  "job-unknown": { says: "there is no such job", hint: "keybound jobs shows those that the relay keeps" },
  "job-is-cancel": {
    says: "this is a cancel: a device does it as soon as it comes, and nothing cancels it",
    hint: "keybound job show has its answers",
  },
  "job-mixed": {
    says: "the jobs of this batch do not ask for the same",
    hint: "somebody made them by other means: name one of them by its own id",
  },
  "rerun-interrupted": {
    says: "interrupted before anything was run again",
    hint: "the job is cancelled where it was not answered; repeat the command to run it again where that is proved",
  },
  "device-not-of-job": { says: "the job is not for this device", hint: "keybound job show has its devices" },
  "job-ambiguous": { says: "more than one job is meant", hint: "use more of its id" },
  "output-differs": {
    says: "what was streamed is not what the device signed",
    hint: "believe the signed output; the device or another reader of the job changed the stream",
  },
  // Signing second
  "proposal-unknown": {
    says: "nothing of this id waits for a signature",
    hint: "keybound cosign shows what waits; it may have been carried out or rejected, or its time is over",
  },
  "proposal-ambiguous": { says: "more than one proposal is meant", hint: "use more of its id" },
  "proposal-stale": {
    says: "the key log has grown since this was proposed, so it has no place any more",
    hint: "it was dropped: have it made again",
  },
  "proposal-target": {
    says: "the proposed job is for a device that the roster does not have",
    hint: "it was removed, or somebody made the job by other means: have it proposed anew for devices of the roster",
  },
  "proposal-sealed": {
    says: "the proposed job is not sealed to your key, so you could not see what you sign",
    hint: "your key is newer than the proposal, or it has too many readers: have it proposed again",
  },
  "proposal-done": { says: "this job was sent already", hint: "keybound job show has its answers" },
  "signed-already": {
    says: "you have signed this, and one person counts once",
    hint: "somebody else has to sign: keybound cosign shows how many are missing",
  },
  "cannot-sign": {
    says: "your signature does not count under a job",
    hint: "auditors sign none, and a key signs until its end: an admin changes roles, keybound key change renews a key",
  },
  "signers-missing": {
    says: "the policy asks for more signatures under this job than there are people who can sign",
    hint: "an admin adds people, or lowers the count: keybound policy",
  },
  "policy-moved": {
    says: "somebody else changed the policy meanwhile",
    hint: "nothing was signed: look at it again, then repeat",
  },
  // Scripts
  "script-unknown": { says: "the library has no such script", hint: "keybound script list shows those that it has" },
  "script-exists": {
    says: "the library has another script of this name",
    hint: "keybound script show NAME shows it; --force replaces it",
  },
  "script-header": {
    says: "the script's header is not as it has to be",
    hint: "correct the line that is named; docs/scripts.md has the form",
  },
  "script-changed": {
    says: "a script of the library is not as it was added",
    hint: "somebody or something has written into the library's folder: look at it, then remove the script and add it again",
  },
  "library-full": {
    says: "the library has no room for more scripts",
    hint: "remove some: keybound script remove NAME; a folder may be several",
  },
  "platform-other": {
    says: "the script is not for the platform of some of these devices",
    hint: "name other devices, or leave these out by --fitting",
  },
  // The home folder and files
  "home-missing": { says: "there is no operator's home here", hint: "keybound init, or choose another with --home" },
  "home-exists": {
    says: "there is an operator's home already",
    hint: "choose another with --home; nothing here was changed",
  },
  "home-other": {
    says: "the folder holds the log of another organisation, and no home",
    hint: "choose another with --home, or remove the folder: an attempt that was given up left it there",
  },
  "home-broken": { says: "a file of the home folder is not as it was written", hint: "restore it from a backup" },
  "home-busy": { says: "another command is using the home folder", hint: "wait until it has ended, then repeat" },
  "home-unsafe": {
    says: "others on this machine can read the home folder",
    hint: "chmod -R go-rwx on it; whoever has read it still needs the passphrase to sign",
  },
  "disk-full": { says: "the disk is full or does not take writes", hint: "free some space, then repeat" },
  "file-missing": { says: "the file is not there or cannot be read", hint: "check its path and permissions" },
  "file-exists": { says: "the file is there already", hint: "choose another name, or --force to replace it" },
  "file-changed": { says: "the file was changed while it was sent", hint: "repeat once nothing writes to it" },
  "file-large": { says: "the file is larger than allowed", hint: "send less at once" },
  "file-unwritable": { says: "the file cannot be written", hint: "check its path and permissions" },
  "file-other": {
    says: "the file is neither a signed statement nor a deployment package",
    hint: "keybound verify takes what keybound job show --export and keybound package write",
  },
  "verify-unknown": {
    says: "what it would be checked against is not known here",
    hint: "run it with the home folder of an operator of that organisation",
  },
  // The release folder
  "release-missing": {
    says: "the release folder is not there, or lacks an installer",
    hint: "name a folder with the release's installers and its SHA256SUMS by --release DIR; without it, packages beside the program",
  },
  "release-sums": {
    says: "the release's SHA256SUMS is missing, is not as sha256sum writes it, or lacks an installer",
    hint: "fetch the whole release again, with its SHA256SUMS",
  },
  "release-signature": {
    says: "nobody signed for the release, and this build takes signed ones only",
    hint: "fetch the whole release again, with its release.json; a release of your own is signed by npm run sign-release",
  },
  "release-changed": {
    says: "an installer is not what the release's SHA256SUMS says",
    hint: "it was changed or cut off: fetch the release again, and do not install this one",
  },
  "release-mixed": {
    says: "the release folder has installers of more than one version",
    hint: "keep each release in a folder of its own",
  },
  "release-odd": {
    says: "something in the release folder is a link, or no file of a release",
    hint: "copy the files themselves into the folder",
  },
  // The command line
  misuse: { says: "the command was not understood", hint: "keybound --help" },
} as const satisfies Record<string, Entry>;

export type FaultCode = keyof typeof FAULTS;

/** The message is the code and the detail, as a refusal's: `device-unknown: web9`. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly detail: string;
  readonly #hint: string | undefined;

  constructor(code: FaultCode, detail: string, { hint, ...options }: ErrorOptions & { readonly hint?: string } = {}) {
    super(detail === "" ? code : `${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
    this.#hint = hint;
  }

  get hint(): string {
    return this.#hint ?? FAULTS[this.code].hint;
  }

  get sentence(): string {
    return FAULTS[this.code].says;
  }
}

/** The system's word for a failed call, such as `ENOSPC`; `undefined` for other errors. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** A failed write as a fault: a full disk is called so, whatever was written. */
export function writeFault(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (code === undefined) return error;
  const isFull = ["ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO"].includes(code);
  return new Fault(isFull ? "disk-full" : "file-unwritable", `${path} (${code})`, { cause: error });
}
