// What keeps the relay from starting, in words for the person who starts it.

export class Obstacle extends Error {
  override readonly name = "Obstacle";
  readonly hint: string;
  /** `misused`: the command line asks for what is not done; `failed`: the machine does not let us. */
  readonly kind: "misused" | "failed";

  constructor(message: string, { hint, kind = "failed" }: { hint: string; kind?: "misused" | "failed" }) {
    super(message);
    this.hint = hint;
    this.kind = kind;
  }
}

/** The system's word for a failure, such as `EACCES`; `undefined` where it is none of the system's. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
