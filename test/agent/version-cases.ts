// Which version a starter picks, and what it leaves on the disk: one table for the script of Linux and macOS and for Windows' service host.

export const PACKAGED = "0.1.0";

/** What a version does when it is asked to prove itself, or what it is like: `proves` writes what agent/update/versions.ts writes, in one go. */
export type Conduct =
  | "proves"
  | "exits"
  | "spins"
  | "kills itself"
  | "has no node"
  | "has no bundle"
  | "does not say its name"
  | "hangs when asked for its name";

export type VersionCase = {
  readonly title: string;
  readonly placed?: Readonly<Record<string, Conduct>>;
  /** In PROGRAM/versions. */
  readonly files?: Readonly<Record<string, string>>;
  readonly by?: "person" | "service";
  /** At each start in turn. */
  readonly ran: readonly string[];
  readonly left?: Readonly<Record<string, string | undefined>>;
  readonly says?: "nothing" | { readonly words: string; readonly times: number };
};

/** An installed agent of version `PACKAGED` with the starter that is tried. */
export type Stand = {
  place: (version: string, conduct: Conduct) => void;
  write: (name: string, text: string) => void;
  read: (name: string) => string | undefined;
  /** Which version ran in the end, and what the starter said. */
  startBy: (who: "person" | "service") => Promise<Start> | Start;
};

type Start = { readonly ran: string; readonly said: string };

const picked: readonly (readonly [current: string, ran: string])[] = [
  ["0.2.0", "0.2.0"],
  ["0.1.10", "0.1.10"],
  ["1.0.0", "1.0.0"],
  ["0.1.0", PACKAGED],
  ["0.0.99", PACKAGED],
  ["0.2", PACKAGED],
  ["0.2.0.0", PACKAGED],
  ["0.2000.0", PACKAGED],
  ["0.02.0", PACKAGED],
  ["../0.2.0", PACKAGED],
  ["0.2.0 x".repeat(1000), PACKAGED],
  ["", PACKAGED],
];

const failing = ["exits", "spins", "kills itself"] as const satisfies readonly Conduct[];
const damaged = [
  "has no node",
  "has no bundle",
  "does not say its name",
  "hangs when asked for its name",
] as const satisfies readonly Conduct[];

const unreadable: readonly (readonly [what: string, text: string])[] = [
  ["garbage", "\u0000\u0001 rubbish"],
  ["nothing", ""],
  ["a version without files", "0.9.0 0"],
  ["an older version", "0.0.1 0"],
  ["no count", "0.9.0 x"],
];

export const VERSION_CASES: readonly VersionCase[] = [
  { title: "starts the packaged version where there is no other, and says nothing", ran: [PACKAGED], says: "nothing" },
  ...picked.map(([current, ran]) => ({
    title: `with ${JSON.stringify(current.slice(0, 20))} as current starts ${ran}`,
    placed: /^\d{1,3}\.\d+\.\d{1,3}$/.test(current) ? { [current]: "proves" as const } : {},
    files: { current: `${current}\n` },
    ran: [ran],
  })),
  {
    title: "starts a version on trial once it has proved itself",
    placed: { "0.2.0": "proves" },
    files: { trial: "0.2.0 0\n" },
    ran: ["0.2.0"],
    left: { trial: undefined, current: "0.2.0\n" },
  },
  ...failing.map((conduct) => ({
    title: `gives up a version that ${conduct} after three tries, and starts the one before, now and again`,
    placed: { "0.1.5": "proves" as const, "0.2.0": conduct },
    files: { current: "0.1.5\n", trial: "0.2.0 0\n" },
    ran: ["0.1.5", "0.1.5"],
    left: { trial: undefined, failed: "0.2.0 3\n" },
    says: { words: "trying version 0.2.0", times: 3 },
  })),
  {
    title: "goes on counting where a restart came between",
    placed: { "0.2.0": "exits" },
    files: { trial: "0.2.0 2\n" },
    ran: [PACKAGED],
    left: { failed: "0.2.0 3\n" },
    says: { words: "trying", times: 1 },
  },
  ...unreadable.map(([what, text]) => ({
    title: `gives up a trial that holds ${what}, and starts what it has`,
    files: { trial: text },
    ran: [PACKAGED],
    left: { trial: undefined },
  })),
  {
    title: "takes a trial for proved where the proof was cut off after its decisive step",
    placed: { "0.2.0": "exits" },
    files: { current: "0.2.0\n", trial: "0.2.0 3\n" },
    ran: ["0.2.0"],
    left: { trial: undefined },
    says: { words: "version 0.2.0", times: 0 },
  },
  {
    title: "tries nothing and counts nothing for a person",
    placed: { "0.1.5": "proves", "0.2.0": "spins" },
    files: { current: "0.1.5\n", trial: "0.2.0 1\n" },
    by: "person",
    ran: ["0.1.5"],
    left: { trial: "0.2.0 1\n", starts: undefined },
  },
  ...damaged.map((conduct) => ({
    title: `does not start a proved version that ${conduct}`,
    placed: { "0.2.0": conduct },
    files: { current: "0.2.0\n" },
    ran: [PACKAGED],
    says: { words: "version 0.2.0 is damaged", times: 1 },
  })),
  {
    title: "starts the one before where the newest is damaged",
    placed: { "0.1.5": "proves", "0.2.0": "has no bundle" },
    files: { current: "0.2.0\n", back: "0.1.5\n" },
    ran: ["0.1.5"],
  },
  {
    title: "gives the place of a version that never serves to the one before, after five starts",
    placed: { "0.1.5": "proves", "0.2.0": "proves" },
    files: { current: "0.2.0\n", back: "0.1.5\n" },
    ran: ["0.2.0", "0.2.0", "0.2.0", "0.2.0", "0.2.0", "0.1.5"],
    left: { failed: "0.2.0 5\n", current: "0.1.5\n", back: undefined },
  },
  {
    title: "goes on starting a version that never serves where none before it can read the state",
    placed: { "0.2.0": "proves" },
    files: { current: "0.2.0\n" },
    ran: Array<string>(7).fill("0.2.0"),
  },
  {
    title: "counts the starts of each version anew",
    placed: { "0.2.0": "proves" },
    files: { current: "0.2.0\n", back: "0.1.0\n", starts: "0.1.5 5\n" },
    ran: ["0.2.0"],
    left: { starts: "0.2.0 1\n" },
  },
];

export type Played = {
  readonly ran: readonly string[];
  readonly left: Readonly<Record<string, string | undefined>>;
  /** How often the words were said, or all that was. */
  readonly says: number | string | undefined;
};

export async function played(on: Stand, { placed, files, by, ran, left, says }: VersionCase): Promise<Played> {
  for (const [version, conduct] of Object.entries(placed ?? {})) on.place(version, conduct);
  for (const [name, text] of Object.entries(files ?? {})) on.write(name, text);
  const starts: Start[] = [];
  while (starts.length < ran.length) starts.push(await on.startBy(by ?? "service"));
  const said = starts.map((start) => start.said).join("");
  return {
    ran: starts.map((start) => start.ran),
    left: Object.fromEntries(Object.keys(left ?? {}).map((name) => [name, on.read(name)])),
    says: typeof says === "object" ? said.split(says.words).length - 1 : says && said,
  };
}

export function expected({ ran, left, says }: VersionCase): Played {
  return { ran, left: left ?? {}, says: typeof says === "object" ? says.times : says && "" };
}
