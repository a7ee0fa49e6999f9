// Statements that wait for a second signature, with what belongs to them, in the database. Nothing in their parts is read here.
import { MAX_PROPOSALS } from "../protocol/limits.ts";
import { blobOf, type Database, textOf, wholeOf } from "./database.ts";
import type { BlobStore } from "./store-blobs.ts";
import { Trouble } from "./trouble.ts";

/** A tenant's row and the id of the statement. */
export type ProposalKey = { readonly n: number; readonly id: string };
export type NewProposal = ProposalKey & {
  /** How many the envelope has. */
  readonly signatures: number;
  readonly now: number;
  readonly expiresAt: number;
  /** The envelope first. */
  readonly parts: readonly Uint8Array[];
  /** Files that the job brings. */
  readonly blobs: readonly string[];
};
export type ListedProposal = {
  readonly proposal: string;
  readonly proposedAt: number;
  readonly expiresAt: number;
  readonly envelope: Uint8Array;
};

export class ProposalStore {
  readonly #db: Database;
  readonly #blobs: BlobStore;

  constructor(db: Database, blobs: BlobStore) {
    this.#db = db;
    this.#blobs = blobs;
  }

  /** How many signatures a proposal has; `undefined` where there is none, or its time is over. */
  signatures({ n, id }: ProposalKey, now: number): number | undefined {
    const sql = "SELECT signatures FROM proposal WHERE tenant = ? AND id = ? AND expires_at > ?";
    const row = this.#db.get(sql, n, id, now);
    return row && wholeOf(row, "signatures");
  }

  /**
   * Keeps a proposal, in place of an earlier one of the same statement; synced. Throws `quota`, with nothing changed,
   * where the tenant has as many as it may.
   */
  save(proposal: NewProposal): void {
    const { n, id, now } = proposal;
    this.#db.commit("proposal", () => {
      this.#db.run("DELETE FROM proposal WHERE tenant = ? AND expires_at <= ?", n, now);
      const since = this.#proposedAt({ n, id }) ?? now;
      this.drop({ n, id });
      if (this.#count(n) >= MAX_PROPOSALS) throw new Trouble("quota", `${MAX_PROPOSALS} proposals`);
      const row = this.#insert(proposal, since);
      const sql = "INSERT INTO proposal_part (proposal, place, tenant, bytes) VALUES (?, ?, ?, ?)";
      proposal.parts.forEach((bytes, place) => this.#db.run(sql, row, place, n, bytes));
      this.#blobs.use(n, proposal.blobs, { use: { proposal: row }, now });
    });
  }

  /** Oldest first. */
  list(n: number, now: number): readonly ListedProposal[] {
    const sql = `SELECT proposal.id, proposal.proposed_at, proposal.expires_at, part.bytes FROM proposal
      JOIN proposal_part AS part ON part.proposal = proposal.n AND part.place = 0
      WHERE proposal.tenant = ? AND proposal.expires_at > ? ORDER BY proposal.proposed_at, proposal.n`;
    return this.#db.all(sql, n, now).map((row) => ({
      proposal: textOf(row, "id"),
      proposedAt: wholeOf(row, "proposed_at"),
      expiresAt: wholeOf(row, "expires_at"),
      envelope: blobOf(row, "bytes"),
    }));
  }

  /** The parts as they were proposed; none where there is no such proposal, or its time is over. */
  parts({ n, id }: ProposalKey, now: number): readonly Uint8Array[] {
    const sql = `SELECT part.bytes FROM proposal JOIN proposal_part AS part ON part.proposal = proposal.n
      WHERE proposal.tenant = ? AND proposal.id = ? AND proposal.expires_at > ? ORDER BY part.place`;
    return this.#db.all(sql, n, id, now).map((row) => blobOf(row, "bytes"));
  }

  /** Part of a commit; whether there was one. */
  drop({ n, id }: ProposalKey): boolean {
    return this.#db.run("DELETE FROM proposal WHERE tenant = ? AND id = ?", n, id) > 0;
  }

  /** As `drop`, by itself; synced. */
  dropNow(key: ProposalKey): boolean {
    return this.#db.commit("drop proposal", () => this.drop(key));
  }

  /** Part of the commit of a reset. */
  dropAll(n: number): void {
    this.#db.run("DELETE FROM proposal WHERE tenant = ?", n);
  }

  #proposedAt({ n, id }: ProposalKey): number | undefined {
    const row = this.#db.get("SELECT proposed_at FROM proposal WHERE tenant = ? AND id = ?", n, id);
    return row && wholeOf(row, "proposed_at");
  }

  #count(n: number): number {
    const row = this.#db.get("SELECT count(*) AS count FROM proposal WHERE tenant = ?", n);
    return row === undefined ? 0 : wholeOf(row, "count");
  }

  #insert({ n, id, signatures, expiresAt }: NewProposal, proposedAt: number): number {
    const sql = `INSERT INTO proposal (tenant, id, signatures, proposed_at, expires_at) VALUES (?, ?, ?, ?, ?)
      RETURNING n`;
    const row = this.#db.get(sql, n, id, signatures, proposedAt, expiresAt);
    if (row === undefined) throw new Error("internal error: a proposal that was not stored");
    return wholeOf(row, "n");
  }
}
