// Where a place of the key log that somebody signed for stands towards the log here.
import type { LogPlace } from "../../protocol/fields.ts";
import { placeIn } from "../../protocol/key-view.ts";
import type { Session } from "../connection/session.ts";
import { underLock } from "../home/home-lock.ts";

/** `beside`: another entry stands there here; `beyond`: the relay shows no entry at that place. */
export type OddPlace = { readonly stands: "beside" | "beyond"; readonly place: LogPlace };
export type Stands = "known" | OddPlace["stands"];

/** Brings the log up to date for the first place that is ahead of it, and again only after it was said to have grown. */
export class Standings {
  readonly #session: Session;
  #isLatest = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** The relay says that the log has grown. */
  grew(): void {
    this.#isLatest = false;
  }

  async of(place: LogPlace): Promise<Stands> {
    const { view } = this.#session;
    if (placeIn(view, place) === "ahead") await this.#update();
    const stands = placeIn(this.#session.view, place);
    if (stands === "known") return "known";
    return stands === "ahead" ? "beyond" : "beside";
  }

  async #update(): Promise<void> {
    if (this.#isLatest) return;
    await underLock(this.#session.desk.home.folder, () => this.#session.sync());
    this.#isLatest = true;
  }
}
