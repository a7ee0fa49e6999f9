// A text as a QR code of block characters, for a terminal.

/** Lines of half blocks, light on dark, with the quiet zone that readers need. */
export async function qrCode(text: string): Promise<string> {
  const { renderUnicodeCompact } = await import("uqr");
  return renderUnicodeCompact(text, { ecc: "M", border: 2 });
}
