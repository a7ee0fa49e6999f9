// The commands of keybound-relay, their options and help.
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { pinOf } from "../protocol/pin.ts";
import { readAddress } from "./address.ts";
import { makeClaim } from "./claim.ts";
import type { Certificate } from "./listener.ts";
import { Metrics } from "./metrics.ts";
import { Obstacle, systemCode } from "./obstacle.ts";
import type { Log } from "./relay.ts";
import { makeFolder, openRelayStore, startRelay } from "./start.ts";
import type { Supervisor } from "./supervisor.ts";
import { tenantToReset } from "./tenant-pin.ts";

export type Surroundings = {
  readonly args: readonly string[];
  readonly version: string;
  readonly now: () => number;
  readonly ticks: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly out: (line: string) => void;
  readonly err: (text: string) => void;
  /** Whoever started this program, and waits to hear that it serves. */
  readonly supervised: () => Supervisor;
  readonly onSignal: (signal: "SIGTERM" | "SIGINT" | "SIGHUP", listener: () => void) => void;
};

type ServeOptions = {
  readonly state: string;
  readonly listen: string;
  readonly name: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly behindTlsProxy?: true;
  readonly metricsListen?: string;
  readonly retentionDays: number;
  readonly quotaGib: number;
};

type ClaimOptions = { readonly state: string; readonly reset?: string };

const EXIT = { done: 0, failed: 1, misused: 2 } as const;
const DAY_MS = 24 * 3600 * 1000;
const GIB = 1024 ** 3;

/** Runs a command and answers its exit code: 0 done, 1 failed, 2 misused. */
export async function program(here: Surroundings): Promise<number> {
  try {
    await commands(here).parseAsync([...here.args], { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.misused;
    if (!(error instanceof Obstacle)) throw error;
    here.err(`error: ${error.message}\nhint: ${error.hint}\n`);
    return EXIT[error.kind];
  }
}

function commands(here: Surroundings): Command {
  const root = new Command("keybound-relay")
    .description("carries signed jobs and receipts between operators and devices, and can open none of them")
    .version(here.version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => here.out(text.trimEnd()), writeErr: here.err })
    .showHelpAfterError("hint: keybound-relay --help shows the commands");
  root.addHelpText("after", "\nexample:\n  $ keybound-relay serve\n  listening on ws://127.0.0.1:7600");
  addServe(root, here);
  addClaim(root, here);
  return root;
}

const SERVE_EXAMPLE = `
example:
  $ keybound-relay serve --listen 0.0.0.0:443 --name relay.example.com \\
      --tls-cert fullchain.pem --tls-key privkey.pem
  listening on wss://0.0.0.0:443`;

function addServe(root: Command, here: Surroundings): void {
  root
    .command("serve")
    .description("run the relay until SIGTERM; SIGHUP reads the certificate again")
    .addOption(stateOption())
    .option("--listen <host:port>", "where to listen; port 0 is any free one", "127.0.0.1:7600")
    .option("--name <host>", "host that peers dial, where it is not the address above; repeatable", collected, [])
    .option("--tls-cert <file>", "certificate with its chain, PEM")
    .option("--tls-key <file>", "its private key, PEM")
    .option("--behind-tls-proxy", "a proxy in front ends TLS, and sets X-Forwarded-For")
    .option("--metrics-listen <host:port>", "serve /metrics here as well, to anybody who can reach it")
    .addOption(dayOption())
    .addOption(quotaOption())
    .addHelpText("after", SERVE_EXAMPLE)
    .action((options: ServeOptions) => serve(here, options));
}

const CLAIM_EXAMPLE = `
example:
  $ keybound-relay claim
  claim code: 7D2WQ-9F0KX-M4T1B-ZC83H
  $ keybound-relay claim --reset DBAWV-JX9G0-HBPRB-ZQGRF-36KH7
  claim code: MW471-ZRVQA-PVJ94-HHTFH`;

function addClaim(root: Command, here: Surroundings): void {
  root
    .command("claim")
    .description("print a new claim code, with which one tenant can be made within seven days; works while serving")
    .addOption(stateOption())
    .option("--reset <pin>", "the code lets a tenant take the place of the one with this pin, and makes no other")
    .addHelpText("after", CLAIM_EXAMPLE)
    .action((options: ClaimOptions) => claim(here, options));
}

function claim(here: Surroundings, { state, reset }: ClaimOptions): void {
  makeFolder(state);
  const { db, claims, logs } = openRelayStore({ folder: state });
  try {
    const retires = reset === undefined ? undefined : tenantToReset(logs, reset);
    here.out(`claim code: ${makeClaim(claims, { now: here.now(), random: here.random, retires })}`);
    if (retires !== undefined) here.err(`${resetWarning(pinOf(retires))}\n`);
  } finally {
    db.close();
  }
}

function resetWarning(pin: string): string {
  return `whoever has this code can take the place of ${pin}: its operators are let in no more, and its queued jobs end`;
}

async function serve(here: Surroundings, options: ServeOptions): Promise<void> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
  here.onSignal("SIGTERM", () => stop("SIGTERM"));
  here.onSignal("SIGINT", () => stop("SIGINT"));
  using supervisor = here.supervised();
  const { metricsListen, behindTlsProxy = false } = options;
  const relay = await startRelay({
    ...here,
    folder: options.state,
    listen: readAddress(options.listen),
    names: options.name,
    certificate: readCertificate(options),
    behindTlsProxy,
    metricsListen: metricsListen === undefined ? undefined : readAddress(metricsListen),
    metrics: new Metrics().withProcess(),
    retentionMs: options.retentionDays * DAY_MS,
    quotaBytes: options.quotaGib * GIB,
  });
  here.onSignal("SIGHUP", () => reload(here, relay, options));
  here.out(`listening on ${relay.url}`);
  if (relay.claimCode !== undefined) here.out(`claim code: ${relay.claimCode}`);
  here.log.info({ url: relay.url, state: options.state }, "serving");
  // After the lines above, so that who waits for the start finds the claim code.
  supervisor.ready();
  here.log.info({ signal: await stopped }, "stopping");
  supervisor.stopping();
  await relay.close();
}

function reload(
  { log }: Surroundings,
  relay: { readonly setCertificate: (certificate: Certificate) => void },
  options: ServeOptions,
): void {
  try {
    const certificate = readCertificate(options);
    if (certificate !== undefined) relay.setCertificate(certificate);
    log.info({}, "certificate read again");
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error;
    log.error({ reason: error.message }, "certificate kept as it was");
  }
}

function readCertificate({ tlsCert, tlsKey }: ServeOptions): Certificate | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new Obstacle("a certificate needs its key", { hint: "give both --tls-cert and --tls-key", kind: "misused" });
  }
  return { cert: readPem(tlsCert), key: readPem(tlsKey) };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    throw new Obstacle(`cannot read ${path}: ${code}`, { hint: "the file must be there and readable by this user" });
  }
}

function stateOption(): Option {
  return new Option("--state <dir>", "folder of the relay's database").default("./keybound-relay");
}

function dayOption(): Option {
  const option = new Option("--retention-days <days>", "how long jobs, receipts and results are kept, at least 31");
  return option.default(90).argParser((text) => wholeIn(text, { min: 31, max: 3650 }));
}

function quotaOption(): Option {
  const option = new Option("--quota-gib <gib>", "most that is kept of one tenant");
  return option.default(20).argParser((text) => wholeIn(text, { min: 1, max: 1_000_000 }));
}

function wholeIn(text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Obstacle(`${text} is no whole number from ${min} to ${max}`, { hint: "see --help", kind: "misused" });
}

function collected(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
