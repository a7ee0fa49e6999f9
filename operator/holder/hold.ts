// The key holder's process: takes the seeds from its standard input, and answers at its socket until there is a reason to end.
import { existsSync } from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { concat } from "../../protocol/bytes.ts";
import { Fault } from "../fault.ts";
import { tryLock } from "../home/home-lock.ts";
import { makePrivate } from "../home/stored-file.ts";
import { HOLDER_TICK_MS, HOLDER_TURN_MS } from "../limits.ts";
import type { World } from "../world.ts";
import { hasEnded } from "./login-session.ts";
import { oracleOf } from "./oracle.ts";
import { isOurs } from "./place.ts";
import { answerTo, listen } from "./serve.ts";
import { MAX_START_BYTES, readStart, type Start, type StartTerms } from "./start-message.ts";
import { type Clocks, Watch } from "./watch.ts";

/** Said on stdout when the socket is there. */
export const UP = "up\n";
const LOCK_POLL_MS = 50;

/** Runs until it has to end. Ends at once, and says nothing, where the home has another holder that does not go. */
export async function hold(world: World): Promise<void> {
  process.umask(0o077);
  const start = await startOf(world);
  using lock = await lockOf(start.terms);
  if (lock === undefined) return;
  await answerUntilTheEnd(start, world);
}

async function startOf({ stdin }: World): Promise<Start> {
  const bytes = stdin.isTTY === true ? undefined : await readAll(stdin);
  const start = bytes && readStart(bytes);
  if (start === undefined) throw new Fault("misuse", "hold is started by keybound unlock, and by nobody else");
  return start;
}

async function readAll(stream: Readable): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array) || (size += chunk.length) > MAX_START_BYTES) return undefined;
    chunks.push(chunk);
  }
  const bytes = concat(...chunks);
  for (const chunk of chunks) chunk.fill(0);
  return bytes;
}

/** One holder a home. The one before was told to end, and may take a moment. */
async function lockOf({ folder, lock }: StartTerms): Promise<Disposable | undefined> {
  if (!isOurs(folder)) throw new Fault("holder-unsafe", folder);
  makePrivate(lock);
  for (let waitedMs = 0; waitedMs < HOLDER_TURN_MS; waitedMs += LOCK_POLL_MS) {
    const held = tryLock(lock);
    if (held !== undefined) return held;
    await sleep(LOCK_POLL_MS);
  }
  return undefined;
}

async function answerUntilTheEnd({ terms, seeds }: Start, world: World): Promise<void> {
  const ended = Promise.withResolvers<void>();
  const clocks: Clocks = { wall: world.now, ticks: () => performance.now() };
  const hasLeft = () => !endpoint.isThere() || hasUserLeft(terms);
  const watch = new Watch(terms.lifetimeMs, { clocks, hasLeft });
  const end = () => {
    for (const seed of Object.values(seeds)) seed.fill(0);
    endpoint.close();
    ended.resolve();
  };
  const holder = { oracle: oracleOf(seeds), watch, end };
  const endpoint = await listen(terms.address, (line) => answerTo(line, holder));
  const timer = setInterval(() => void (watch.look() !== undefined && end()), HOLDER_TICK_MS);
  const stopListening = world.onInterrupt(end);
  world.stdout.write(UP);
  await ended.promise;
  stopListening();
  clearInterval(timer);
}

function hasUserLeft({ home, session }: StartTerms): boolean {
  return !existsSync(home) || (session !== undefined && hasEnded(session));
}
