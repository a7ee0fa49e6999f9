// What can go wrong on this device that is nobody's forged or foreign statement: a closed list, with what to do about it.

export const FAULTS = {
  "state-unwritable": {
    says: "the state folder cannot be made or opened",
    hint: "run as root, or choose a folder of yours with --state DIR",
  },
  "state-newer": { says: "the state was written by a newer agent", hint: "install that version or a later one" },
  "state-busy": {
    says: "another agent is running on this state folder",
    hint: "stop it first, or choose another --state DIR",
  },
  "disk-full": { says: "the disk is full or does not take writes", hint: "free some space; nothing was changed" },
  "not-bound": { says: "this device has no owner yet", hint: "keybound-agent bind FILE --trust PIN" },
  "file-unreadable": { says: "the file cannot be read", hint: "check its path and permissions" },
  "network-form": {
    says: "the proxy or the certificates cannot be used",
    hint: "keybound-agent network --proxy http://HOST:PORT, --ca FILE with PEM certificates, or none for either",
  },
  "file-unwritable": {
    says: "the file cannot be written",
    hint: "choose a name that is not there yet, in a folder of yours",
  },
  clone: {
    says: "this device's identity was made on another machine",
    hint: "bind this machine by itself: keybound-agent bind FILE; it becomes a device of its own",
  },
  "journal-broken": { says: "the journal's chain does not hold", hint: "somebody changed the state outside the agent" },
  "trial-unproved": {
    says: "this version of the agent is on trial and could not prove itself",
    hint: "nothing is to be done: the version before it goes on; keybound-agent doctor says what failed",
  },
  "update-on-trial": {
    says: "a new version of the agent is being tried on this device",
    hint: "wait until that is decided, half an hour at the most: keybound-agent doctor",
  },
  misuse: { says: "the command was not understood", hint: "keybound-agent --help" },
} as const;

export type FaultCode = keyof typeof FAULTS;

export class AgentFault extends Error {
  override readonly name = "AgentFault";
  readonly code: FaultCode;
  readonly detail: string;

  constructor(code: FaultCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }

  get hint(): string {
    return FAULTS[this.code].hint;
  }

  get sentence(): string {
    return FAULTS[this.code].says;
  }
}

const FULL: readonly unknown[] = ["ENOSPC", "EDQUOT", "EROFS"];

/** Whether nothing is wrong but that the disk takes no more: as the database says it, or the file system. */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof AgentFault) return error.code === "disk-full";
  return error instanceof Error && "code" in error && FULL.includes(error.code);
}
