/** One job, or many at once, from an operator's hands to verified receipts, with a stamp for each thing that is heard of it. */
import type { Message } from "../../operator/connection/relay-client.ts";
import { type BodyFields, type ComposedJob, composeJobs } from "../../operator/jobs/compose-job.ts";
import { JobWatch, type Watcher } from "../../operator/results/watch-jobs.ts";
import type { Unlocked } from "../../operator/unlock/unlock.ts";
import { DEFAULT_JOB_LIFETIME_MS, DEFAULT_JOB_TIME_MS, DEFAULT_OUTPUT_BYTES } from "../../protocol/limits.ts";
import type { RosterDevice } from "../../protocol/roster.ts";

/** Writes six bytes, so that live output and a sealed result are on the way too. */
export const SCRIPT = "echo hello\n";
const PATIENCE_MS = 120_000;

/** Milliseconds since the job began to be made. */
export type Stamps = {
  /** Body sealed, manifest signed. */
  readonly composed: number;
  /** The relay has it on its disk. */
  readonly stored: number;
  /** The device has it in its ledger. */
  readonly taken: number;
  readonly firstOutput: number;
  /** The receipt has come; nothing of it is checked. */
  readonly receipt: number;
  /** Signature, chain and output are checked and recorded. */
  readonly verified: number;
};

/** Sends one job to one device and waits for its verified receipt. Throws unless it exited with 0. */
export async function timeJob(unlocked: Unlocked, device: RosterDevice): Promise<Stamps> {
  const start = performance.now();
  const since = () => performance.now() - start;
  const jobs = await compose(unlocked, [device]);
  const composed = since();
  let [stored, taken, firstOutput, receipt] = [Number.NaN, Number.NaN, Number.NaN, Number.NaN];
  using held = new DisposableStack();
  const seeing = tap(unlocked, ({ header }) => {
    if (header.type === "progress" && header.state === "taken") taken = since();
    if (header.type === "receipt-news") receipt = since();
  });
  held.use(seeing);
  const watch = watchOf(unlocked, jobs, { onOutput: () => (firstOutput = since()) });
  await submit(unlocked, jobs);
  stored = since();
  await watch.settled(AbortSignal.timeout(PATIENCE_MS));
  const verified = since();
  expectAnswered(watch);
  return { composed, stored, taken, firstOutput, receipt, verified };
}

/** Milliseconds from making jobs, all sent at once, to the last verified receipt. */
export async function timeJobs(
  unlocked: Unlocked,
  {
    devices,
    count,
    patienceMs = PATIENCE_MS,
  }: { readonly devices: readonly RosterDevice[]; readonly count: number; readonly patienceMs?: number },
): Promise<number> {
  const start = performance.now();
  const made = await Promise.all(Array.from({ length: count }, () => compose(unlocked, devices)));
  const jobs = made.flat();
  const watch = watchOf(unlocked, jobs, {});
  await submit(unlocked, jobs);
  await watch.settled(AbortSignal.timeout(patienceMs));
  const ms = performance.now() - start;
  expectAnswered(watch);
  return ms;
}

export type Followed = {
  /** What came first as live output, and when. */
  readonly first: { readonly atMs: number; readonly bytes: Uint8Array };
  /** Bytes of live output in all. */
  readonly size: number;
};

/** Runs a script to its verified receipt, and takes its live output unless `isQuiet`. */
export async function followJob(
  unlocked: Unlocked,
  device: RosterDevice,
  { source, isQuiet = false }: { readonly source: string; readonly isQuiet?: boolean },
): Promise<Followed> {
  const jobs = await compose(unlocked, [device], source);
  let first: Followed["first"] | undefined;
  let size = 0;
  const watch = watchOf(unlocked, jobs, {
    isQuiet,
    onOutput: (_target, _stream, bytes) => {
      first ??= { atMs: performance.timeOrigin + performance.now(), bytes: bytes.slice(0, 64) };
      size += bytes.length;
    },
  });
  await submit(unlocked, jobs, isQuiet);
  await watch.settled(AbortSignal.timeout(PATIENCE_MS));
  expectAnswered(watch);
  return { first: first ?? { atMs: 0, bytes: new Uint8Array(0) }, size };
}

/** The devices of the roster in the order of their admission. */
export function rosterDevices({ session }: Unlocked): readonly RosterDevice[] {
  return [...session.roster.devices.values()];
}

export function compose(
  { session, keys }: Unlocked,
  targets: readonly RosterDevice[],
  source = SCRIPT,
): Promise<readonly ComposedJob[]> {
  const { home, world } = session.desk;
  const body: BodyFields = {
    shell: "sh",
    source,
    args: [],
    env: [],
    user: { as: "system" },
    limits: { timeMs: DEFAULT_JOB_TIME_MS, outputBytes: DEFAULT_OUTPUT_BYTES },
    mayReboot: false,
  };
  return composeJobs(
    { work: { kind: "run", body }, targets, expiresInMs: DEFAULT_JOB_LIFETIME_MS },
    {
      state: session.state,
      signer: keys,
      operator: home.config.operator,
      access: home.access.sealing.publicKey,
      now: world.now(),
      random: world.random,
    },
  );
}

function watchOf({ session }: Unlocked, jobs: readonly ComposedJob[], over: Partial<Watcher>): JobWatch {
  const watched = jobs.map((job) => ({ ...job, outputBytes: DEFAULT_OUTPUT_BYTES }));
  return new JobWatch(session, watched, {
    isQuiet: false,
    onState: () => undefined,
    onOutput: () => undefined,
    onMissed: () => undefined,
    onResult: () => undefined,
    ...over,
  });
}

async function submit({ session }: Unlocked, jobs: readonly ComposedJob[], isQuiet = false): Promise<void> {
  const quiet = isQuiet ? { quiet: true } : {};
  const sent = jobs.map(({ manifest: { job, batch, expiresAt, targets }, parts }) =>
    session.client.ask("ok", { type: "submit", job, batch, expiresAt, targets, watch: true, ...quiet }, parts),
  );
  await Promise.all(sent);
}

/** Sees every push before the listener that is set while it is in use. */
function tap({ session: { client } }: Unlocked, see: (message: Message) => void): Disposable {
  const listen = client.listen.bind(client);
  client.listen = (listener, onEnd) => {
    const both = (message: Message) => {
      see(message);
      listener(message);
    };
    listen(both, onEnd);
  };
  return { [Symbol.dispose]: () => void (client.listen = listen) };
}

function expectAnswered({ results }: JobWatch): void {
  for (const { target, result } of results) {
    const isGood = result?.type === "answered" && result.receipt.outcome.type === "exited";
    if (!isGood) throw new Error(`${target.device.name} answered ${JSON.stringify(result)}`);
  }
}
