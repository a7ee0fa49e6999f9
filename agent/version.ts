// The agent's version: in words for people, as one number for a job's `minAgent`, and compared as three numbers.

export type AgentVersion = { readonly text: string; readonly number: number };

const [MAJOR, MINOR, PATCH] = [0, 1, 0];

/** `MAJOR.MINOR.PATCH`, as folders of versions are named. */
export const RELEASE = `${MAJOR}.${MINOR}.${PATCH}`;

export const VERSION: AgentVersion = {
  text: `keybound-agent ${RELEASE}`,
  number: MAJOR * 1_000_000 + MINOR * 1_000 + PATCH,
};

/** Three numbers below a thousand, without leading zeros. */
export function isRelease(text: string): boolean {
  return /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){2}$/.test(text);
}

/** Both are releases. */
export function isNewer(one: string, other: string): boolean {
  return weigh(one) > weigh(other);
}

function weigh(release: string): number {
  return release.split(".").reduce((sum, part) => sum * 1_000 + Number(part), 0);
}
