// A diagnosis in words: a line a finding, worst to be seen at the left, and what to do beneath.
import type { Diagnosis } from "./doctor.ts";
import type { Finding, Level } from "./finding.ts";

const MARKS: Readonly<Record<Level, string>> = { ok: "ok     ", warning: "WARNING", failed: "FAILED " };

export function diagnosisWords({ findings }: Diagnosis): string {
  return [...findings.map(findingWords), summary(findings)].join("\n");
}

function findingWords({ check, subject, level, says, hint }: Finding): string {
  const line = `${MARKS[level]}  ${check.padEnd(13)} ${subject === undefined ? "" : `${subject} `}${says}`;
  return hint === undefined ? line : `${line}\n${" ".repeat(23)}-> ${hint}`;
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const [bad, doubtful] = [count("failed"), count("warning")];
  if (bad + doubtful === 0) return "All is well.";
  return `${bad} failed, ${doubtful} ${doubtful === 1 ? "warning" : "warnings"}.`;
}
