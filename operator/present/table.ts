// Tables on stdout: lined up by cli-table3 on a terminal and in a pipe alike, without frames, so that they can be cut and grepped.

const NO_FRAME = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
} as const;

/** Rows under a head, in columns; cells are text that is safe to show. No line ends in spaces. */
export async function table(head: readonly string[], rows: readonly (readonly string[])[]): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const drawn = new Table({ chars: NO_FRAME, style: { head: [], border: [], "padding-left": 0, "padding-right": 0 } });
  drawn.push([...head], ...rows.map((row) => [...row]));
  return drawn
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
