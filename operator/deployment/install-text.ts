// INSTALL.txt: what lies in the folder, until when and for how many devices it is good, and the lines to paste.
import { plain } from "../present/escape.ts";
import { every } from "../present/either.ts";
import type { Release } from "./release-folder.ts";
import type { Terms } from "./terms.ts";
import { DEPLOYMENT, type ReadyFile, type Way } from "./way.ts";
import { wayText } from "./ways.ts";

export const REBIND_WARNING =
  "WARNING: these lines take a device away from whoever owns it now, without asking. Send them to no device that is not to change its owner.";

export type InstallText = {
  readonly organisation: string;
  readonly epoch: number;
  readonly pin: string;
  readonly terms: Terms;
  readonly release: Release;
  readonly ways: readonly Way[];
  readonly files: readonly ReadyFile[];
  readonly rebind: boolean;
};

export function installText(about: InstallText): string {
  const { organisation, epoch, pin, release, ways, rebind } = about;
  const sections = [...new Set(ways.map(({ system }) => system))].map((system) => section(system, ways));
  return `Keybound agent ${release.version} for ${plain(organisation)} (epoch ${epoch})
pin ${pin}
${rebind ? `\n${REBIND_WARNING}\n` : ""}
${tokenWords(about)}

The installers are the release's, unchanged; ${release.standing.says}:

${release.installers.map(({ name, sha256 }) => `    ${sha256}  ${name}\n`).join("")}
A line run again on a device that is bound already changes nothing. After a reset of the organisation the lines of a new package, with its
new pin, are run on every device: that is the redeploy.

Golden images: never bind a device and then copy its disk; the copies would have one identity, and refuse to serve. Use the lines for an
image below, with which each copy binds by itself when it first starts.
${sections.join("")}`;
}

function tokenWords({ terms, files }: InstallText): string {
  const { uses, mode, tokenNotAfter, notAfter } = terms;
  const carriers = files.filter(({ name }) => /^(cloud-init-.*|macos-before)\./.test(name)).map(({ name }) => name);
  const how = mode === "auto" ? "at once" : "after an operator has admitted each";
  const also = carriers.length === 0 ? "" : ` ${every(carriers)} ${carriers.length === 1 ? "has" : "have"} it inside.`;
  return `Secret here is the enrolment token in ${DEPLOYMENT}, and nothing else.${also} With it up to ${uses} devices join until ${day(tokenNotAfter)},
${how}. The deployment itself binds until ${day(notAfter)}. Delete it from a device once it has served, and this folder
when the rollout is done.`;
}

function section(system: string, ways: readonly Way[]): string {
  const own = ways.filter((way) => way.system === system);
  return `\n== ${system} ==\n\n${own.map(wayText).join("\n")}`;
}

/** A date in UTC, such as `2026-12-01`. */
function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
