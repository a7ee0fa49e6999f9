// How far a file has come, on stderr: a line that is drawn over at a terminal, else one line at the end.
import { say } from "../desk.ts";
import { DRAW_EVERY_MS } from "../limits.ts";
import type { World } from "../world.ts";
import { plain } from "./escape.ts";

export type Transfer = { readonly verb: string; readonly done: string; readonly name: string; readonly size: number };

export class TransferView {
  readonly #world: World;
  readonly #transfer: Transfer;
  #drawnAt = 0;
  #isDrawn = false;

  constructor(world: World, transfer: Transfer) {
    this.#world = world;
    this.#transfer = transfer;
  }

  at(bytes: number): void {
    const { stderr, now } = this.#world;
    if (stderr.isTTY !== true || now() - this.#drawnAt < DRAW_EVERY_MS) return;
    this.#drawnAt = now();
    this.#isDrawn = true;
    const { verb, name, size } = this.#transfer;
    stderr.write(
      `\r\u001b[K${verb} ${plain(name)}: ${Math.floor((bytes / Math.max(1, size)) * 100)} % of ${sizeWords(size)}`,
    );
  }

  end(): void {
    this.clear();
    const { done, name, size } = this.#transfer;
    say(this.#world, `${done} ${plain(name)}, ${sizeWords(size)}`);
  }

  /** Takes away the line that is drawn over. */
  clear(): void {
    if (this.#isDrawn) this.#world.stderr.write("\r\u001b[K");
    this.#isDrawn = false;
  }
}

const UNITS = ["KiB", "MiB", "GiB"] as const;

/** `17 bytes`, `1.5 MiB`. */
export function sizeWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  const power = Math.min(UNITS.length, Math.floor(Math.log(bytes) / Math.log(1024)));
  return `${(bytes / 1024 ** power).toFixed(1)} ${UNITS[power - 1]}`;
}
