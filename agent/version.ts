// The agent's version: in words for people, as one number for a job's `minAgent`.

export type AgentVersion = { readonly text: string; readonly number: number };

const [MAJOR, MINOR, PATCH] = [0, 1, 0];

export const VERSION: AgentVersion = {
  text: `keybound-agent ${MAJOR}.${MINOR}.${PATCH}`,
  number: MAJOR * 1_000_000 + MINOR * 1_000 + PATCH,
};
