// Refusing a job: once with a receipt where a valid signature says that somebody is owed an answer, else only noted.
import type { Logger } from "pino";
import type { Refusal, RefusalCode } from "../../protocol/refusal.ts";
import type { About } from "../../protocol/verify-job.ts";
import { append } from "../state/journal.ts";
import { claimedBy } from "./ledger.ts";
import { MAX_REFUSED_STATEMENTS } from "../limits.ts";
import { answer, type Standing } from "../answers/outbox.ts";
import type { OwnerState } from "../binding/owner-state.ts";
import { RefusalMeter } from "./refusal-meter.ts";
import type { State } from "../state/state.ts";
import { refusedOutcome } from "../../protocol/outcome.ts";

export type RefusalsOptions = {
  readonly owned: OwnerState;
  readonly now: () => number;
  readonly log: Logger;
  readonly standing: () => Standing;
  readonly onReceipt: () => void;
};

/** `isAnswered`: a receipt says why, so that no unsigned word need. */
export type RefusedReception = {
  readonly type: "taken";
  readonly refused: RefusalCode;
  readonly isAnswered: boolean;
};

export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #meter = new RefusalMeter();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** Whether a receipt says already that this statement was refused. */
  hasRefused(statement: string): boolean {
    return isRefused(this.#options.owned.state, statement);
  }

  /** A repeated statement gets no second receipt: otherwise a relay could fill the disk with answers to one job. */
  refuse(refusal: Refusal, about: About | undefined): RefusedReception {
    const { code, detail } = refusal;
    this.#options.log.warn({ job: about?.job, code, detail }, "job refused");
    const isOwed = about !== undefined && !hasAnswer(this.#options.owned.state, about);
    if (isOwed) this.#answer(refusal, about);
    else this.#note(refusal, about);
    return { type: "taken", refused: code, isAnswered: isOwed };
  }

  #answer(refusal: Refusal, { job, statement }: About): void {
    const { code, detail } = refusal;
    const outcome = refusedOutcome(refusal);
    const { owned, now, standing, onReceipt } = this.#options;
    owned.write("refuse job", (state) => {
      noteAnswered(state, statement, now());
      append(state, now(), { type: "refused", code, detail, job, statement });
      answer(state, standing(), { job, statement, outcome, contained: "yes" });
    });
    onReceipt();
  }

  #note({ code, detail }: Refusal, about: About | undefined): void {
    const { owned, now } = this.#options;
    const { write, unwritten } = this.#meter.admit(now());
    if (!write) return;
    const of = about === undefined ? {} : { job: about.job, statement: about.statement };
    owned.write("note refusal", (state) => {
      if (unwritten > 0) append(state, now(), { type: "refusals-unwritten", count: unwritten });
      append(state, now(), { type: "refused", code, detail, ...of });
    });
  }
}

/** Refused with a receipt before; or taken, and answered by what becomes of it, whatever a later clock or key log says of it. */
function hasAnswer(state: State, { job, statement }: About): boolean {
  return claimedBy(state, job) === statement || isRefused(state, statement);
}

function isRefused(state: State, statement: string): boolean {
  return state.get("SELECT 1 FROM refused WHERE statement = ?", statement) !== undefined;
}

function noteAnswered(state: State, statement: string, at: number): void {
  state.run("INSERT INTO refused (statement, at) VALUES (?, ?)", statement, at);
  state.run(
    "DELETE FROM refused WHERE statement IN (SELECT statement FROM refused ORDER BY at DESC LIMIT -1 OFFSET ?)",
    MAX_REFUSED_STATEMENTS,
  );
}
