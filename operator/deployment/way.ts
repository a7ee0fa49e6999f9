// One way to bring the agent to devices: a tool, and what is pasted into it, word for word.
import type { Processor, System } from "./systems.ts";

/** What the lines are made of. */
export type Facts = {
  readonly version: string;
  readonly pin: string;
  /** Whether another organisation's devices are to be taken over. */
  readonly rebind: boolean;
  /** Where devices fetch installers by cloud-init, without a slash at its end. */
  readonly from?: string;
  readonly installers: readonly {
    readonly system: System;
    readonly processor: Processor;
    readonly name: string;
    readonly sha256: string;
  }[];
  /** The signed deployment's file, for what carries it inside. */
  readonly deployment: Uint8Array;
};

export type Way = {
  readonly system: System;
  /** A stable word for programs. */
  readonly tool: string;
  readonly processor?: Processor;
  /** Where the lines are pasted, in words. */
  readonly where: string;
  /** Whose lines these are; `form` are fields of a form in a browser. */
  readonly shell: "sh" | "cmd" | "form";
  readonly lines: readonly string[];
  /** The ready file that it uses. */
  readonly file?: string;
};

/** A file to be handed to a tool as it is. */
export type ReadyFile = { readonly name: string; readonly text: string; readonly executable: boolean };

export const DEPLOYMENT = "deployment.keybound";

/** Base64 in lines of at most 76 characters. */
export function base64Lines(bytes: Uint8Array): readonly string[] {
  return (
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,76}/g) ?? []
  );
}
