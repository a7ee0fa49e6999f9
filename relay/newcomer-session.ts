// A person without a key in the log who has logged in to ask for one, and the approvals that admins offer them meanwhile.
import { refuse } from "../protocol/refusal.ts";
import type { Connection } from "./connection.ts";
import { MAX_OFFERS } from "./limits.ts";
import type { OperatorSession } from "./operator-session.ts";
import type { Tenant } from "./tenant.ts";

export class NewcomerSession {
  readonly connection: Connection;
  readonly tenant: Tenant;
  /** Thumbprint of the key that logged in: the one that may be asked for. */
  readonly key: string;
  readonly endsAt: number;
  /** Who made the approval of a session, by the session's id. */
  readonly #offers = new Map<string, OperatorSession>();

  constructor(login: { connection: Connection; tenant: Tenant; key: string; endsAt: number }) {
    this.connection = login.connection;
    this.tenant = login.tenant;
    this.key = login.key;
    this.endsAt = login.endsAt;
  }

  /** Remembers who is to be told what is revealed to this approval; the oldest of many is forgotten. */
  offer(session: string, by: OperatorSession): void {
    const before = this.#offers.get(session);
    if (before !== undefined && before !== by) throw refuse("frame-form", "another client has this session");
    this.#offers.delete(session);
    const [oldest] = this.#offers.keys();
    if (this.#offers.size >= MAX_OFFERS && oldest !== undefined) this.#offers.delete(oldest);
    this.#offers.set(session, by);
  }

  offeredBy(session: string): OperatorSession | undefined {
    return this.#offers.get(session);
  }

  /** Forgets what this client offered, or where none is said what anybody did. */
  forgetOffers(by?: OperatorSession): void {
    for (const [session, who] of this.#offers) if (by === undefined || who === by) this.#offers.delete(session);
  }
}
