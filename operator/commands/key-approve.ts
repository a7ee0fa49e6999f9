// `keybound key approve`, `reject` and `requests`: an admin hears who asks for a key, makes sure who it is, and signs.
import { join } from "node:path";
import { toBase64url } from "../../protocol/bytes.ts";
import type { Role } from "../../protocol/key-event.ts";
import { DEFAULT_KEY_LIFETIME_MS } from "../../protocol/limits.ts";
import { longCode } from "../../protocol/key-approval.ts";
import { Refusal } from "../../protocol/refusal.ts";
import { appendChanges } from "../devices/append-roster.ts";
import { appendKeyEvent, type KeyChange } from "../keys/append-key.ts";
import { askLine, confirmed } from "../ask.ts";
import { areDigitsRight, isLongCode } from "../keys/call-requester.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { CALL_LOCK } from "../home/home.ts";
import { tryLock } from "../home/home-lock.ts";
import { afterKeyEvent, keyDeskOf, type WaitHeardOptions } from "../keys/key-act.ts";
import { MAX_MISMATCHES_A_MONTH, MAX_REQUEST_SESSIONS, MISMATCH_MEMORY_MS, REQUEST_REST_MS } from "../limits.ts";
import { table } from "../present/table.ts";
import { ago } from "../present/time.ts";
import { makePrivate } from "../home/stored-file.ts";
import { openSession, type Session } from "../connection/session.ts";
import { openUnlocked, type Unlocked } from "../unlock/unlock.ts";
import { findRequest, type WaitingRequest, waitingRequests } from "../keys/waiting-requests.ts";
import { isAtTerminal, type World } from "../world.ts";

export type ApproveOptions = CommonOptions &
  WaitHeardOptions & { readonly role?: Role; readonly code?: string | boolean };

export async function requests(world: World, options: CommonOptions): Promise<void> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const waiting = await waitingRequests(session);
  const rows = waiting.map((one) => ({
    name: one.request.name,
    wants: wantsWords(one),
    filedAt: one.filedAt,
    online: one.online,
    // Only its beginning: the whole code has to come from the person.
    code: longCode(one.id).slice(0, 5),
  }));
  if (options.json === true) return printJson(world, rows);
  if (rows.length === 0) return say(world, "nobody waits for a key");
  const cells = rows.map(({ name, wants, filedAt, online, code }) => [
    name,
    wants,
    online ? "waits to be called" : `asked ${ago(filedAt, world.now())}`,
    `${code}-…`,
  ]);
  print(world, await table(["NAME", "WANTS", "STATE", "CODE"], cells));
}

export function wantsWords({ replaces, request }: WaitingRequest): string {
  if (replaces === undefined) return "to become an operator";
  return replaces.name === request.name ? "a new key" : `a new key for ${replaces.name}`;
}

export async function approveKey(world: World, who: string | undefined, options: ApproveOptions): Promise<void> {
  using desk = openDesk(world, options);
  const unlocked = await openUnlocked(desk, { ask: "always" });
  using session = unlocked.session;
  const waiting = findRequest(await waitingRequests(session), who);
  const role = waiting.replaces?.role ?? options.role ?? "operator";
  if (waiting.replaces !== undefined && options.role !== undefined && options.role !== role) {
    throw new Fault("misuse", `--role: ${waiting.replaces.name} stays ${role}; keybound role set changes it`);
  }
  say(world, approvalWords(session, waiting, role));
  await checkWho(unlocked, waiting, options);
  const appended = await appendKeyEvent(keyDeskOf(session), (state) => ({
    change: approval(waiting, { role, now: session.now, isKnown: state.operators.some(isSubject(waiting)) }),
    signers: [unlocked.keys],
  }));
  const name = waiting.request.name;
  const done =
    waiting.replaces === undefined
      ? `${name} is ${article(role)} now`
      : `${name}'s new key is active; the old one ended`;
  await afterKeyEvent(unlocked, { appended, done, options, json: { name, role } });
}

function isSubject({ request }: WaitingRequest) {
  return ({ operator }: { readonly operator: string }) => operator === request.operator;
}

function article(role: Role): string {
  return role === "operator" || role === "admin" || role === "auditor" ? `an ${role}` : role;
}

function approvalWords({ state }: Session, waiting: WaitingRequest, role: Role): string {
  const { request, replaces } = waiting;
  if (replaces !== undefined) {
    const renamed = replaces.name === request.name ? "" : ` (${replaces.name} until now)`;
    return `${request.name}${renamed} asks for a new key. The present one ends when you approve, and the jobs that it has queued are dropped.`;
  }
  const twin = state.operators.find(({ name }) => name.toLowerCase() === request.name.toLowerCase());
  const second =
    twin === undefined
      ? ""
      : `\nThere is a ${twin.name} already, whose key stays: this would be a second person of that name.`;
  return `${request.name} asks to become ${article(role)}.${second}`;
}

function approval(
  { request, bytes }: WaitingRequest,
  { role, now, isKnown }: { readonly role: Role; readonly now: number; readonly isKnown: boolean },
): KeyChange {
  const { operator, name, sig, enc, mode, recovery } = request;
  const recoveryKey = recovery === undefined ? {} : { recovery };
  const key = { operator, name, role, sig, enc, ...recoveryKey, mode, notAfter: now + DEFAULT_KEY_LIFETIME_MS };
  return { type: isKnown ? "operator.replace" : "operator.add", key, request: toBase64url(bytes) };
}

// --- Who is it? ---

/** Six digits where both are there, else the long code. Throws `code-differs` and tells all admins where they are wrong. */
async function checkWho(unlocked: Unlocked, waiting: WaitingRequest, options: ApproveOptions): Promise<void> {
  checkRest(unlocked.session, waiting);
  const usesCode = options.code !== undefined && options.code !== false;
  if (!usesCode && isLongOnly(unlocked.session)) throw new Fault("long-code-only", "");
  if (!usesCode && !waiting.online) throw new Fault("newcomer-away", waiting.request.name);
  const isRight = usesCode
    ? await isCodeRight(unlocked.session, waiting, options)
    : await isCallRight(unlocked, waiting);
  if (isRight) return;
  await noteMismatch(unlocked, waiting);
  throw new Fault("code-differs", waiting.request.name);
}

async function isCallRight(unlocked: Unlocked, waiting: WaitingRequest): Promise<boolean> {
  const { world, home } = unlocked.session.desk;
  if (!isAtTerminal(world)) throw new Fault("misuse", "six digits are typed at a terminal; a script gives --code CODE");
  using calls = new DisposableStack();
  calls.use(onlyCall(home.folder));
  say(
    world,
    `Call ${waiting.request.name} by telephone, or go there. Do not take the digits by any message that passes this relay.`,
  );
  try {
    return await areDigitsRight(unlocked, waiting);
  } catch (error) {
    if (error instanceof Refusal && error.code === "code-commit") await noteMismatch(unlocked, waiting);
    throw error;
  }
}

/** One call at a time: an admin who has two people on the line may mix up their digits. Throws `home-busy`. */
function onlyCall(folder: string): Disposable {
  const path = join(folder, CALL_LOCK);
  makePrivate(path);
  const lock = tryLock(path);
  if (lock === undefined) throw new Fault("home-busy", "another call is under way: keybound key approve");
  return lock;
}

async function isCodeRight({ desk }: Session, waiting: WaitingRequest, { code }: ApproveOptions): Promise<boolean> {
  if (typeof code === "string") return isLongCode(code, waiting.id);
  if (!isAtTerminal(desk.world)) throw new Fault("misuse", "--code CODE: the 20 characters, where nobody can be asked");
  return isLongCode(await askLine(desk.world, `The 20-character code that ${waiting.request.name} has:`), waiting.id);
}

/** A request whose digits were wrong too often is dead, and its person rests before the next. */
function checkRest({ roster, now, state }: Session, { id, request, replaces }: WaitingRequest): void {
  const own = roster.mismatches.filter((one) => one.request === id);
  if (own.length >= MAX_REQUEST_SESSIONS) throw new Fault("request-spent", request.name);
  const known = replaces?.name ?? request.name;
  const recent = roster.mismatches.filter(({ name, time }) => name === known && time > now - REQUEST_REST_MS);
  if (recent.length >= MAX_REQUEST_SESSIONS) throw new Fault("request-spent", `${request.name} of ${state.name}`);
}

function isLongOnly({ roster, now }: Session): boolean {
  return roster.mismatches.filter(({ time }) => time > now - MISMATCH_MEMORY_MS).length >= MAX_MISMATCHES_A_MONTH;
}

/** In the signed roster, so that every admin sees it and every client counts alike. */
async function noteMismatch({ session, keys }: Unlocked, { id, request, replaces }: WaitingRequest): Promise<void> {
  const name = replaces?.name ?? request.name;
  await appendChanges(session, keys, () => [{ type: "code.mismatch", request: id, name }]);
}

export async function rejectKey(world: World, who: string, options: CommonOptions): Promise<void> {
  using desk = openDesk(world, options);
  using session = await openSession(desk);
  const waiting = findRequest(await waitingRequests(session), who);
  await confirmed(world, options.yes, `${waiting.request.name}'s request goes; they may ask again. Reject it?`);
  await session.client.ask("ok", { type: "reject-request", request: waiting.id });
  if (options.json === true) return printJson(world, { name: waiting.request.name, rejected: true });
  print(world, `rejected ${waiting.request.name}'s request`);
}
