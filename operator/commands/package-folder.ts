// `keybound package --for SYSTEM`: a folder with the release's installers as they are, the signed deployment, and the lines to paste.
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { pinOf } from "../../protocol/pin.ts";
import type { Session } from "../connection/session.ts";
import { installText, REBIND_WARNING } from "../deployment/install-text.ts";
import { copyInstaller, type Release, readRelease, releaseFolder } from "../deployment/release-folder.ts";
import { signPackage } from "../deployment/sign-deployment.ts";
import { type StagedFolder, stageFolder } from "../deployment/staged-folder.ts";
import { SYSTEMS, type System } from "../deployment/systems.ts";
import { type TermOptions, type Terms, termsOf, widening } from "../deployment/terms.ts";
import { DEPLOYMENT, type Facts, type Way } from "../deployment/way.ts";
import { readyFilesFor, wayText, waysFor } from "../deployment/ways.ts";
import { type CommonOptions, openDesk, print, printJson, say } from "../desk.ts";
import { Fault } from "../fault.ts";
import { MAX_NAMED_REDEPLOYS } from "../limits.ts";
import { plain } from "../present/escape.ts";
import { pinnedKeys } from "../release/release-keys.ts";
import { type Redeploy, type RedeployRow, type RedeployState, redeployOf } from "../tenant/redeploy.ts";
import { openUnlocked, sendCheckpoint } from "../unlock/unlock.ts";
import type { World } from "../world.ts";

export type FolderOptions = CommonOptions &
  TermOptions & {
    readonly for: System | "all";
    readonly out?: string;
    readonly release?: string;
    readonly from?: string;
    readonly rebind?: boolean;
    readonly force?: boolean;
  };

type Made = { readonly name: string; readonly size: number; readonly sha256: string };

/** Installers are copied and checked before anything is signed: a token is added for a folder that can be written. */
export async function makeFolder(world: World, options: FolderOptions): Promise<void> {
  using desk = openDesk(world, options);
  const terms = termsOf(options, { now: world.now(), relay: desk.home.config.relay });
  const folder = resolve(outOf(options));
  const from = fromOf(options.from);
  const systems = options.for === "all" ? SYSTEMS : [options.for];
  const release = readRelease(releaseFolder(world, options.release), systems, pinnedKeys());
  using staged = stageFolder(folder);
  const copied = release.installers.map(
    ({ name, sha256 }): Made => ({
      name,
      sha256,
      size: copyInstaller(join(release.folder, name), staged.path(name), sha256),
    }),
  );
  if (!release.standing.signed) say(world, release.standing.says);
  if (options.rebind === true) say(world, REBIND_WARNING);
  say(world, widening(terms));
  const unlocked = await openUnlocked(desk);
  using session = unlocked.session;
  const redeploy = session.state.supersedes.length === 0 ? undefined : await redeployOf(session);
  const deployment = await signPackage(unlocked, terms);
  const pin = pinOf(session.state.tenant);
  const rebind = options.rebind === true;
  const facts: Facts = { version: release.version, pin, rebind, installers: release.installers, deployment, ...from };
  const ways = waysFor(systems, facts);
  const written = writeTexts(staged, { facts, ways, systems, session, terms, release });
  staged.publish();
  await sendCheckpoint(unlocked);
  const { standing, version } = release;
  if (options.json !== true) return show(world, { folder: outOf(options), pin, ways, redeploy });
  printJson(world, {
    folder,
    pin,
    version,
    release: { folder: release.folder, signed: standing.signed },
    files: [...copied, ...written],
    ways,
    mode: terms.mode,
    uses: terms.uses,
    notAfter: terms.notAfter,
    tokenNotAfter: terms.tokenNotAfter,
    ...(redeploy === undefined ? {} : { redeploy: leftOf(redeploy) }),
  });
}

function outOf({ out, force }: FolderOptions): string {
  if (out === undefined) throw new Fault("misuse", "--for needs --out FOLDER");
  if (force === true) throw new Fault("misuse", "--force with --for: a folder is not replaced, name another by --out");
  return out;
}

/** A place that stands in lines of a shell: nothing in it may mean something there. */
function fromOf(url: string | undefined): { readonly from?: string } {
  if (url === undefined) return {};
  if (!/^https?:\/\/[\w.:[\]-]+(\/[\w.~%+-]+)*\/?$/.test(url) || !URL.canParse(url))
    throw new Fault("misuse", `--from ${url}: https://HOST/FOLDER, of letters, digits and . _ ~ % + -`);
  return { from: url.replace(/\/$/, "") };
}

type Writing = {
  readonly facts: Facts;
  readonly ways: readonly Way[];
  readonly systems: readonly System[];
  readonly session: Session;
  readonly terms: Terms;
  readonly release: Release;
};

function writeTexts(staged: StagedFolder, { facts, ways, systems, session, terms, release }: Writing): readonly Made[] {
  const files = readyFilesFor(systems, facts);
  const { name: organisation, epoch } = session.state;
  const { pin, rebind } = facts;
  const text = installText({ organisation, epoch, pin, rebind, terms, release, ways, files });
  const all = [
    { name: DEPLOYMENT, content: facts.deployment, executable: false },
    ...files.map(({ name, text: content, executable }) => ({ name, content: Buffer.from(content), executable })),
    { name: "INSTALL.txt", content: Buffer.from(text), executable: false },
  ];
  return all.map(({ name, content, executable }) => {
    staged.write(name, content, { executable });
    return { name, size: content.length, sha256: createHash("sha256").update(content).digest("hex") };
  });
}

type Shown = Pick<Facts, "pin"> & {
  readonly folder: string;
  readonly ways: readonly Way[];
  readonly redeploy: Redeploy | undefined;
};

function show(world: World, { folder, pin, ways, redeploy }: Shown): void {
  print(world, `wrote  ${folder}`);
  print(world, `pin    ${pin}\n`);
  for (const way of ways.filter(({ tool }) => ["dpkg", "rpm", "msiexec", "installer"].includes(tool)))
    print(world, `${way.system}, ${wayText(way)}`);
  print(world, "INSTALL.txt there has the lines for other tools. Whoever has the folder can join as a device.");
  if (redeploy !== undefined) for (const line of redeployLines(redeploy)) print(world, line);
}

const isOver = ({ state }: RedeployRow) => state === "came-over" || state === "asks" || state === "bound";

function leftOf({ total, cameOver, devices }: Redeploy): Pick<Redeploy, "total" | "cameOver" | "devices"> {
  return { total, cameOver, devices: devices.filter((row) => !isOver(row)) };
}

/** Who needs the folder; and who did not come over, but is not to be sought either. */
function redeployLines({ devices }: Redeploy): readonly string[] {
  const of = (...states: readonly RedeployState[]) => devices.filter(({ state }) => states.includes(state));
  const [due, away, left] = [of("waits", "refused"), of("elsewhere"), of("uninstalled")];
  return [
    due.length === 0
      ? "To be redeployed: none."
      : `To be redeployed with the new pin: ${namesOf(due)} (keybound devices --redeploy).`,
    ...(away.length === 0 ? [] : [`With another owner by now: ${namesOf(away)}.`]),
    ...(left.length === 0 ? [] : [`Uninstalled, and over when they are installed again by this: ${namesOf(left)}.`]),
  ];
}

function namesOf(rows: readonly RedeployRow[]): string {
  const more = rows.length > MAX_NAMED_REDEPLOYS ? ` and ${rows.length - MAX_NAMED_REDEPLOYS} more` : "";
  const names = rows.slice(0, MAX_NAMED_REDEPLOYS).map(({ name, host, device }) => name ?? plain(host ?? device));
  return `${names.join(", ")}${more}`;
}
