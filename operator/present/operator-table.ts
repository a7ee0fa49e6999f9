// The people of an organisation as a table, and what is to be said of recovered keys.
import type { OperatorRow } from "../keys/operator-rows.ts";
import { KEY_END_WARNING_MS } from "../limits.ts";
import type { RequestRow, TenantStatus } from "../tenant/tenant-status.ts";
import { every } from "./either.ts";
import { plain } from "./escape.ts";
import { span } from "./span.ts";
import { table } from "./table.ts";
import { date, day } from "./time.ts";

type View = {
  readonly status: Pick<TenantStatus, "operators" | "requests">;
  readonly now: number;
  /** With people whose keys were revoked. */
  readonly all: boolean;
};

/** The column MODE is there only where a key is derived from a passphrase alone. */
export async function operatorTable({ status, now, all }: View): Promise<string> {
  const { operators, requests } = status;
  const shown = operators.filter(({ key }) => all || key !== "revoked");
  const hasMode = shown.some(({ mode }) => mode === "passphrase");
  const rows = [
    ...shown.map((row) => cellsOf(row, requests, now)),
    ...requests.filter(({ purpose }) => purpose === "add").map(requestCells),
  ];
  const head = ["NAME", "ROLE", "KEY", "SINCE", "BY", "RECOVERY", "MODE"];
  const width = hasMode ? head.length : head.length - 1;
  return await table(
    head.slice(0, width),
    rows.map((cells) => cells.slice(0, width)),
  );
}

function cellsOf(row: OperatorRow, requests: readonly RequestRow[], now: number): readonly string[] {
  const { name, role, since, by, recovery, mode } = row;
  return [
    plain(name),
    role,
    keyWords(row, { requests, now }),
    day(since.time),
    by.length === 0 ? "-" : every(by.map(plain)),
    recovery === undefined ? "-" : recoveryWords(recovery),
    mode === "passphrase" ? "passphrase-only" : "-",
  ];
}

function requestCells({ name, filedAt, recovery }: RequestRow): readonly string[] {
  return [plain(name), "-", "requested", day(filedAt), "-", recoveryWords(recovery), "-"];
}

function recoveryWords(isMade: boolean): string {
  return isMade ? "file made" : "none";
}

function keyWords(
  { name, key, notAfter = 0, wait }: OperatorRow,
  { requests, now }: { readonly requests: readonly RequestRow[]; readonly now: number },
): string {
  if (key === "revoked") return "revoked";
  const end = key === "ended" ? `ended ${day(notAfter)}` : "active";
  const soon = key === "active" && notAfter - now <= KEY_END_WARNING_MS ? [`ends ${day(notAfter)}`] : [];
  const waits = wait === undefined ? [] : [`waits until ${day(wait.until)} or later`];
  const asked = requests.some(({ replaces }) => replaces === name) ? ["new one requested"] : [];
  return [end, ...soon, ...waits, ...asked].join(", ");
}

/** A device counts a wait from when it heard, which nobody else knows. */
export function waitLines(operators: readonly OperatorRow[]): readonly string[] {
  return operators.flatMap(({ name, wait }) =>
    wait === undefined
      ? []
      : [
          `${plain(name)}'s key comes from a recovery: each device takes jobs by it ${span(wait.delayMs)} after it heard of entry ${wait.from}, none before ${date(wait.until)}`,
        ],
  );
}
