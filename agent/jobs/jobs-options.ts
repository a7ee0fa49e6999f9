// What running jobs needs of the rest of the agent.
import type { Logger } from "pino";
import type { Random } from "../../protocol/seal.ts";
import type { OwnerState } from "../binding/owner-state.ts";
import type { RelayConnection } from "../connection/relay-connection.ts";
import type { RunEnvironment } from "../run/run-job.ts";
import type { AgentVersion } from "../version.ts";

export type JobsOptions = {
  readonly owned: OwnerState;
  readonly environment: RunEnvironment;
  readonly bootId: string;
  readonly agent: AgentVersion;
  readonly now: () => number;
  readonly random: Random;
  readonly log: Logger;
  /** The connection of the moment, for live output. */
  readonly connection: () => RelayConnection | undefined;
  /** A receipt was written to the outbox. */
  readonly onReceipt: () => void;
  /** The state can no longer be written: the owner changed, or the disk failed. */
  readonly onFault: (error: unknown) => void;
};
