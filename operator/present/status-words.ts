// An organisation's status as text: what asks for action first, then who we are, the people, and sections that have something to say.
import type { Warning } from "../tenant/status-warnings.ts";
import type { RequestRow, TenantStatus } from "../tenant/tenant-status.ts";
import type { WaitingRow } from "../cosign/list-waiting.ts";
import { cosignCommand } from "../cosign/proposals.ts";
import { quoteFor } from "../quote.ts";
import { refusedWords } from "./refused-words.ts";
import { plain } from "./escape.ts";
import { freshnessLines } from "./freshness-words.ts";
import { absenceWords, deviceLines } from "./heard-words.ts";
import { operatorTable, waitLines } from "./operator-table.ts";
import { ago, date } from "./time.ts";

export type StatusView = {
  readonly status: TenantStatus;
  readonly warnings: readonly Warning[];
  /** The operator whose home this is. */
  readonly own: string;
  readonly now: number;
  /** With those whose keys were revoked. */
  readonly all: boolean;
};

/** Sections with an empty line between them. */
export async function statusText(view: StatusView): Promise<string> {
  const { status, warnings, own, now } = view;
  const people = [await operatorTable(view), ...waitLines(status.operators)].join("\n");
  const sections = [
    section("Action needed", warnings.flatMap(warningLines)),
    identityLines(status).join("\n"),
    people,
    section("Requests for keys", requestLines(status.requests, now)),
    section("Waiting for another signature", status.proposals.flatMap(proposalLines)),
    section("Devices", allDeviceLines(status, now)),
    section("Colleagues who have not vouched for the newest entry", colleagueLines(status)),
    section("Freshness", status.closed ? [] : freshnessLines(status.freshness, { own, now })),
  ];
  return sections.filter((text) => text !== "").join("\n\n");
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [title, ...lines.map((line) => `  ${line}`)].join("\n");
}

function warningLines({ says, run }: Warning): readonly string[] {
  return [`- ${says}`, `    ${run}`];
}

function identityLines({ organisation, epoch, supersedes, closed, pin, relay, keyLog, newcomer }: TenantStatus) {
  const before = supersedes.length === 0 ? "" : ", after a reset: keybound devices --redeploy";
  return [
    `organisation  ${plain(organisation)}${closed ? ", CLOSED" : ""}, epoch ${epoch}${before}`,
    `pin           ${pin}`,
    `relay         ${relay}`,
    `key log       entry ${keyLog.seq}, ${keyLog.id}`,
    `newcomers     ${newcomer}`,
  ];
}

function requestLines(requests: readonly RequestRow[], now: number): readonly string[] {
  return requests.flatMap((request) => {
    const here = request.online ? ", and waits to be called" : "";
    const approve = `    keybound key approve ${quoteFor("sh", [plain(request.name)])}`;
    return [`${plain(request.name)} asked ${wants(request)} ${ago(request.filedAt, now)}${here}`, approve];
  });
}

function wants({ name, purpose, replaces }: RequestRow): string {
  if (purpose === "add") return "to become an operator";
  return replaces === name ? "for a new key" : `for a new key of ${plain(replaces ?? "")}`;
}

function proposalLines({ proposal, what, signers, needed, refused, expiresAt }: WaitingRow): readonly string[] {
  if (refused !== undefined) return [what, `    ${cosignCommand(proposal.slice(0, 10))} --reject`];
  const by = signers.length === 0 ? "" : `, signed by ${signers.join(", ")} (${signers.length} of ${needed})`;
  return [`${what}${by}, until ${date(expiresAt)}`, `    ${cosignCommand(proposal.slice(0, 10))}`];
}

function allDeviceLines({ devices, keyLog }: TenantStatus, now: number): readonly string[] {
  const { pending, refused } = devices;
  return [
    ...deviceLines(keyLog.seq, devices, now),
    ...(pending === 0 ? [] : [`${pending} ask${pending === 1 ? "s" : ""} for admission: keybound devices --pending`]),
    ...refused.map((row) => `${row.device} ${refusedWords(row, now)}`),
  ];
}

function colleagueLines({ colleagues }: TenantStatus): readonly string[] {
  return colleagues.filter(({ knows, odd }) => !knows && odd === undefined).map(absenceWords);
}
