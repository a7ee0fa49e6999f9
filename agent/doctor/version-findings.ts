// Which version of the agent runs, which is packaged, and what became of the last update.
import { isNewer } from "../version.ts";
import { seeVersions, type Versions } from "../versions.ts";
import { type Finding, ok, warning } from "./finding.ts";

export function versionFindings(versions: Versions): readonly Finding[] {
  const { running } = versions;
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
            "journalctl -u keybound-agent says why; a new update replaces it",
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
    ...(failed === undefined
      ? []
      : [
          warning(
            "version",
            `${failed.version} failed after ${failed.tries} tries; the version before it goes on`,
            "journalctl -u keybound-agent says how it ended; an update to a version that works ends this warning",
          ),
        ]),
    ...odd.map((says) =>
      warning("version", says, "ls -lR PROGRAM/versions; remove it, and the packaged version goes on"),
    ),
  ];
}
