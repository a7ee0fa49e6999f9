// What support needs of a device, in one file, without secrets: no key, token, password, source or output of a job.
import { closeSync, openSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import * as v from "valibot";
import { type Status, statusOf } from "../binding/public-status.ts";
import { AgentFault } from "../fault.ts";
import { BUNDLED_ENTRIES } from "../limits.ts";
import type { Paths } from "../paths.ts";
import { type JournalLine, readJournal } from "../state/journal.ts";
import type { Diagnosis } from "./doctor.ts";
import { codeOf } from "./finding.ts";
import { viewState } from "../state/view-state.ts";

/** Writes the bundle; `file` must be new. Throws `file-unwritable`. */
export function writeBundle(file: string, { diagnosis, paths }: { diagnosis: Diagnosis; paths: Paths }): void {
  const text = `${JSON.stringify(bundleOf(diagnosis, paths), undefined, 1)}\n`;
  try {
    const descriptor = openSync(file, "wx", 0o600);
    try {
      writeFileSync(descriptor, text);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new AgentFault("file-unwritable", `${file}: ${codeOf(error)}`, { cause: error });
  }
}

function bundleOf(diagnosis: Diagnosis, { state: folder }: Paths) {
  const { node, openssl, sqlite } = process.versions;
  const versions = { agent: diagnosis.agent, node, openssl, sqlite };
  const system = { platform: process.platform, arch: process.arch, release: release() };
  const viewed = viewState(folder);
  if (viewed.type !== "open") return { version: 1, doctor: diagnosis, versions, system };
  const { state } = viewed;
  try {
    const journal = readJournal(state, BUNDLED_ENTRIES).map(lineOf);
    return {
      version: 1,
      doctor: diagnosis,
      versions,
      system,
      status: withoutDetail(statusOf(state, diagnosis.at)),
      journal,
    };
  } finally {
    state.close();
  }
}

const Entry = v.looseObject({ type: v.string() });

/** A refusal's detail may quote what was sealed for this device alone. Its code says enough. */
function lineOf({ seq, time, hash, entry }: JournalLine) {
  return { seq, time, hash, entry: entryOf(entry) };
}

function entryOf(text: string) {
  const { detail: _detail, ...entry } = v.parse(Entry, JSON.parse(text));
  return entry;
}

function withoutDetail(status: Status) {
  if (!status.bound || status.lastRefusal === undefined) return status;
  const { time, entry } = status.lastRefusal;
  return { ...status, lastRefusal: { time, entry: entryOf(entry) } };
}
