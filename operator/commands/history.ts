// `keybound history`: every key event in order, with whose key it was about, who signed it, and why.
import { openSession } from "../connection/session.ts";
import { type CommonOptions, type Desk, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { actorWords, historyWords, reasonOf } from "../keys/history-words.ts";
import { type HistoryEntry, keyHistory } from "../keys/key-history.ts";
import { plain } from "../present/escape.ts";
import { table } from "../present/table.ts";
import { date } from "../present/time.ts";
import type { World } from "../world.ts";

export async function history(world: World, options: CommonOptions): Promise<void> {
  using desk = openDesk(world, options);
  await bringUpToDate(desk);
  const entries = keyHistory(desk.cache.keyEntries());
  if (options.json === true) return printJson(world, entries.map(jsonOf));
  const cells = entries.map(({ seq, time, owner, actors, ...rest }) => [
    String(seq),
    date(time),
    owner === undefined ? "-" : plain(owner.name),
    actorWords(actors),
    historyWords({ seq, time, owner, actors, ...rest }),
  ]);
  print(world, await table(["ENTRY", "TIME", "OWNER", "ACTOR", "WHAT"], cells));
}

/** What this home has verified is history without a relay too. */
async function bringUpToDate(desk: Desk): Promise<void> {
  try {
    (await openSession(desk))[Symbol.dispose]();
  } catch (error) {
    const isAway = error instanceof Fault && error.code === "relay-unreachable";
    if (!isAway || desk.cache.keyState() === undefined) throw error;
    say(desk.world, "the relay does not answer: this is what was known here before");
  }
}

function jsonOf(entry: HistoryEntry): object {
  const { seq, id, time, event, owner, actors } = entry;
  const reason = reasonOf(event);
  return {
    seq,
    id,
    time,
    type: event.type,
    ...(owner === undefined ? {} : { owner }),
    actors,
    ...(reason === undefined ? {} : { reason }),
    words: historyWords(entry),
  };
}
