/** Writes a tar of plain files, as SPEC 8.10 has it: the same bytes from the same files and time. */

export type TarFile = { readonly name: string; readonly mode: 0o644 | 0o755; readonly content: Uint8Array };

const BLOCK_BYTES = 512;

/** POSIX.1-1988 ustar, of root's files; `epochS` is the time of each. */
export function tarOf(files: readonly TarFile[], epochS: number): Uint8Array {
  const parts = files.flatMap(({ name, mode, content }) => [
    headerOf({ name, mode, size: content.length, epochS }),
    content,
    new Uint8Array((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES),
  ]);
  return Buffer.concat([...parts, new Uint8Array(2 * BLOCK_BYTES)]);
}

type Entry = { readonly name: string; readonly mode: number; readonly size: number; readonly epochS: number };

function headerOf({ name, mode, size, epochS }: Entry): Uint8Array {
  if (name.length > 64) throw new Error(`internal error: a name of ${name.length} characters`);
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, "0"), at);
  header.write(name, 0);
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(epochS, 136, 11);
  header.fill(" ", 148, 156);
  header.write("0", 156);
  header.write("ustar\u000000", 257);
  header.write("root", 265);
  header.write("root", 297);
  octal(0, 329, 7);
  octal(0, 337, 7);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
