// Patterns of parameters: a part of regular expressions that is matched in one pass a piece, so that no pattern and no value can
// make it slow. Pieces follow one another; there are no groups, no alternatives and no look-around.
import { MAX_PATTERN_PIECES } from "../limits.ts";

export type Pattern = { readonly spelling: string; readonly pieces: readonly Piece[] };
/** A set of characters, `min` to `max` times. */
type Piece = { readonly set: RegExp; readonly min: number; readonly max: number };

// `^` and `$` around pieces: a class, an escape or a plain character, each with `?`, `*`, `+`, `{n}`, `{n,}` or `{n,m}` behind it.
const CLASS = String.raw`\[\^?(?:[^\]\\[^\s]|\\[dsw]|\\[^\sA-Za-z0-9])+\]`;
const PIECE = new RegExp(
  String.raw`(${CLASS}|\\[dsw]|\\[^\sA-Za-z0-9]|[^\s\\^$.|?*+()[\]{}]|\.)(\?|\*|\+|\{\d{1,4}(?:,\d{0,4})?\})?`,
  "uy",
);

/** Reads `^[a-z0-9-]+$`. It stands for the whole value, with `^` and `$` or without. `undefined` for what is not of this form. */
export function readPattern(spelling: string): Pattern | undefined {
  const inner = spelling.replace(/^\^/, "").replace(/(?<!\\)\$$/, "");
  const pieces: Piece[] = [];
  PIECE.lastIndex = 0;
  while (PIECE.lastIndex < inner.length) {
    const [, atom, times] = PIECE.exec(inner) ?? [];
    const piece = atom === undefined ? undefined : pieceOf(atom, times);
    if (piece === undefined || pieces.length === MAX_PATTERN_PIECES) return undefined;
    pieces.push(piece);
  }
  return pieces.length === 0 ? undefined : { spelling, pieces };
}

/** Whether the whole of a value is of this pattern; each piece goes along the value once. */
export function matches({ pieces }: Pattern, value: string): boolean {
  const characters = Array.from(value);
  let reached = new Set([0]);
  for (const piece of pieces) reached = after(piece, reached, characters);
  return reached.has(characters.length);
}

function pieceOf(atom: string, times: string | undefined): Piece | undefined {
  const [min, max] = timesOf(times);
  if (min > max) return undefined;
  try {
    return { set: new RegExp(`^${atom}$`, "u"), min, max };
  } catch (error) {
    // A class such as [z-a], which the grammar above does not see through.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function timesOf(times: string | undefined): readonly [min: number, max: number] {
  if (times === undefined) return [1, 1];
  if (times === "?") return [0, 1];
  if (times === "*") return [0, Number.POSITIVE_INFINITY];
  if (times === "+") return [1, Number.POSITIVE_INFINITY];
  const [, min = "0", comma, max] = /^\{(\d+)(,?)(\d*)\}$/.exec(times) ?? [];
  if (comma === "") return [Number(min), Number(min)];
  return [Number(min), max === "" ? Number.POSITIVE_INFINITY : Number(max)];
}

/** The places that a piece leads to from these. `open` counts the spans that have begun and not ended at a place. */
function after({ set, min, max }: Piece, from: ReadonlySet<number>, characters: readonly string[]): Set<number> {
  const runs = runsOf(set, characters);
  const changes = new Int32Array(characters.length + 2);
  for (const place of from) {
    const most = Math.min(runs[place] ?? 0, max);
    if (most < min) continue;
    changes[place + min] = (changes[place + min] ?? 0) + 1;
    changes[place + most + 1] = (changes[place + most + 1] ?? 0) - 1;
  }
  const reached = new Set<number>();
  let open = 0;
  for (let place = 0; place <= characters.length; place++) {
    open += changes[place] ?? 0;
    if (open > 0) reached.add(place);
  }
  return reached;
}

/** How many characters in a row are of the set, from each place on. */
function runsOf(set: RegExp, characters: readonly string[]): Int32Array {
  const runs = new Int32Array(characters.length + 1);
  for (let at = characters.length - 1; at >= 0; at--)
    runs[at] = set.test(characters[at] ?? "") ? (runs[at + 1] ?? 0) + 1 : 0;
  return runs;
}
