// The keys that a log has seen, looked up without walking all of them: such a list only grows, so the places in it are kept
// beside it. The list itself stays plain data; one that was read from JSON is indexed when it is first asked.

/** Where each key stands in the newest list of a line. Every other list of the line is a beginning of that one. */
type Line = { readonly places: Map<string, number>; newest: readonly string[] };

const lines = new WeakMap<readonly string[], Line>();

export function hasSeen(seen: readonly string[], key: string): boolean {
  const place = lineOf(seen).places.get(key);
  return place !== undefined && place < seen.length;
}

/** The list with these keys after the others. The list before stays as it was, and is asked as before. */
export function withSeen(seen: readonly string[], keys: readonly string[]): readonly string[] {
  const line = lineOf(seen);
  const longer = seen.concat(keys);
  // Two lists that begin alike and go on differently are two lines; the second is indexed by itself.
  if (line.newest !== seen) return longer;
  addPlaces(line.places, keys, seen.length);
  line.newest = longer;
  lines.set(longer, line);
  return longer;
}

function lineOf(seen: readonly string[]): Line {
  const known = lines.get(seen);
  if (known !== undefined) return known;
  const line: Line = { places: new Map(), newest: seen };
  addPlaces(line.places, seen, 0);
  lines.set(seen, line);
  return line;
}

/** The first place counts, if a key stands at several. */
function addPlaces(places: Map<string, number>, keys: readonly string[], from: number): void {
  for (const [i, key] of keys.entries()) if (!places.has(key)) places.set(key, from + i);
}
