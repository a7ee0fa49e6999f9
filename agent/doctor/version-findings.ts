// Which version of the agent runs, which is packaged, and what became of the last update.
import { whyNoStart } from "../update/starter.ts";
import { seeVersions, type Versions } from "../update/versions.ts";
import { isNewer } from "../version.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Where the starter says what it does, and how one sees who may write. */
const PLACES: Partial<Record<NodeJS.Platform, { readonly record: string; readonly list: string }>> = {
  win32: { record: "the Event Log, source Keybound,", list: "icacls PROGRAM\\versions /t" },
  darwin: { record: "/var/log/keybound-agent.log", list: "ls -lR PROGRAM/versions" },
};
const ON_LINUX = { record: "journalctl -u keybound-agent", list: "ls -lR PROGRAM/versions" };

export function versionFindings(versions: Versions): readonly Finding[] {
  const { running, platform } = versions;
  const { record, list } = PLACES[platform] ?? ON_LINUX;
  const { packaged, current, back, trial, failed, odd } = seeVersions(versions);
  if (packaged === undefined)
    return [ok("version", `${running}, not installed with a starter: it is not updated by a job`)];
  const before = back === undefined ? "" : `, before it ${back}`;
  return [
    ok("version", `${running}; packaged ${packaged}, updated to ${current ?? "none"}${before}`),
    ...(current !== undefined && isNewer(current, packaged) && current !== running
      ? [
          warning(
            "version",
            `${current} proved itself and is not what is started`,
            `${record} says why; a new update replaces it`,
          ),
        ]
      : []),
    ...(trial === undefined
      ? []
      : [
          warning(
            "version",
            `${trial.version} is on trial, ${trial.tries} tries begun`,
            "wait, half an hour at the most; one that waits for a first try needs the service restarted",
          ),
        ]),
    // What the package has since overtaken is of no interest any more.
    ...(failed === undefined || !isNewer(failed.version, packaged)
      ? []
      : [
          warning(
            "version",
            `${failed.version} failed after ${failed.tries} tries; the version before it goes on`,
            `${record} says how it ended; an update to a version that works ends this warning`,
          ),
        ]),
    ...[...odd, ...unseen(versions)].map((says) =>
      warning("version", says, `${list}; remove it, and the packaged version goes on`),
    ),
  ];
}

/** What the starter alone can see. */
function unseen({ program, platform }: Versions): readonly string[] {
  const why = platform === "win32" ? whyNoStart(program, platform) : undefined;
  return why === undefined ? [] : [why];
}
