// The text of docs/refusals.md, made from the tables that the programs give their codes from, so that it cannot drift.
import { FAULTS as AGENT_FAULTS } from "../../agent/fault.ts";
import { FAULTS as OPERATOR_FAULTS } from "../../operator/fault.ts";
import { REFUSALS } from "../../protocol/refusal.ts";
import { TROUBLES, type TroubleCode } from "../../relay/trouble.ts";

type Entry = { readonly says: string; readonly hint: string };
type Table = Readonly<Record<string, Entry>>;
type Group = { readonly title: string; readonly codes: readonly string[] };

/** What to do about each error of the relay. The relay itself says only what is wrong: its peers say what to do. */
const RELAY_HINTS: Readonly<Record<TroubleCode, string>> = {
  "claim-unknown": "have whoever runs the relay print a new code: `keybound-relay claim`",
  "tenant-unknown": "check the relay's address; the organisation may be kept on another relay",
  "tenant-exists": "nothing is to be done; an organisation is made on a relay once",
  "tenant-reset": "have a colleague tell you the same pin, then work with that organisation; devices need its package",
  "device-unknown": "list the devices: `keybound devices`",
  "job-unknown": "list the jobs that the relay still keeps: `keybound jobs`",
  "request-unknown": "list the requests again; it was withdrawn, replaced, decided or has expired",
  "request-rejected": "ask an admin why; a new request needs new keys",
  "newcomer-away": "have the person connect again, or compare the long code and approve without them",
  "session-unknown": "begin again: one of the two was disconnected",
  "proposal-unknown": "list the proposals again; it was carried out, dropped or has expired",
  "blob-unknown": "send the job again; its files are uploaded with it",
  "rate-limited": "wait a minute; programs of ours wait by themselves",
  quota: "wait until what is queued has been fetched or has expired",
  busy: "read the relay's log; most often its disk is full",
  "login-timeout": "connect again; programs of ours do so by themselves",
  "session-over": "connect again",
};

const HEAD = `# Refusal codes, faults and errors

Each code that a program of Keybound prints, what it means and what to do. A code is never given a second meaning.
This page is made by \`npm run docs\` from the tables in the code. When exactly a refusal is given is in
[protocol/SPEC.md](../protocol/SPEC.md), section 12.

- A **refusal** answers what somebody else made: a statement, a job, a frame. The same codes are used everywhere.
- A **fault** is trouble on this machine: a wrong passphrase, a missing file, a full disk.
- An **error of the relay** says why the relay did not do what it was asked, where no refusal says it.

A message has the code, its sentence, what it is about, and a hint. For a script the exit code is what counts.
`;

export type RefusalsSources = {
  /** The text of protocol/refusal.ts, for the headings that stand in it as comments. */
  readonly refusals: string;
  /** The text of operator/fault.ts, for the same. */
  readonly operatorFaults: string;
};

/** The whole page. Throws where the headings in a source do not cover its table. */
export function refusalsPage({ refusals, operatorFaults }: RefusalsSources): string {
  return [
    HEAD,
    "## Refusals\n",
    ...sections(REFUSALS, groupsOf(refusals)),
    "## Faults of the operator's client\n",
    "`keybound` exits with 2 for `misuse`, with 1 for the others.\n",
    ...sections(OPERATOR_FAULTS, groupsOf(operatorFaults)),
    "## Faults of the agent\n",
    "`keybound-agent` exits with 2 for `misuse`, with 1 for the others.\n",
    table(AGENT_FAULTS, Object.keys(AGENT_FAULTS)),
    "## Errors of the relay\n",
    table(relayTable(), Object.keys(TROUBLES)),
  ].join("\n");
}

// A heading is a comment line in the table; the codes below it are its group.
function groupsOf(source: string): readonly Group[] {
  const groups: { title: string; codes: string[] }[] = [];
  for (const [, title, quoted, bare] of source.matchAll(/^ {2}(?:\/\/ (.+)|"([a-z0-9-]+)": \{|([a-z]+): \{)/gm)) {
    const code = quoted ?? bare;
    if (title !== undefined) groups.push({ title, codes: [] });
    else if (code !== undefined) groups.at(-1)?.codes.push(code);
  }
  return groups.filter(({ codes }) => codes.length > 0);
}

function sections(entries: Table, groups: readonly Group[]): readonly string[] {
  const covered = groups.flatMap(({ codes }) => codes).toString();
  if (covered !== Object.keys(entries).toString()) throw new Error(`internal error: the headings cover ${covered}`);
  return groups.map(({ title, codes }) => `### ${title}\n\n${table(entries, codes)}`);
}

function table(entries: Table, codes: readonly string[]): string {
  return `| code | what it means | what to do |\n| --- | --- | --- |\n${codes.map((code) => row(code, entries[code])).join("")}`;
}

function row(code: string, entry: Entry | undefined): string {
  if (entry === undefined) throw new Error(`internal error: no entry for ${code}`);
  return `| \`${code}\` | ${cell(entry.says)} | ${cell(entry.hint)} |\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function relayTable(): Table {
  const entries = Object.entries(RELAY_HINTS).map(([code, hint]) => [code, { says: saysOf(code), hint }] as const);
  return Object.fromEntries(entries);
}

function saysOf(code: string): string {
  return Object.entries(TROUBLES).find(([one]) => one === code)?.[1] ?? "";
}
