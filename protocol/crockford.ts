// Crockford's base32, for codes that people read out and type: no I, L, O or U, and either case is read.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The first `chars` times five bits of these bytes, most significant first, in dashed groups of five. */
export function toCrockford(bytes: Uint8Array, chars: number): string {
  const digits = Array.from({ length: chars }, (_, i) => ALPHABET[fiveBits(bytes, i * 5)] ?? "");
  return digits.join("").replace(/.{5}(?=.)/g, "$&-");
}

/**
 * The bytes that a code spells, with the last byte filled up by zero bits; dashes and spaces are passed over, `O` reads
 * as 0 and `I` and `L` as 1. `undefined` where another character or another count of characters stands.
 */
export function fromCrockford(code: string, chars: number): Uint8Array | undefined {
  const plain = code.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
  if (plain.length !== chars) return undefined;
  const bytes = new Uint8Array(Math.ceil((chars * 5) / 8));
  for (let i = 0; i < chars; i++) {
    const value = ALPHABET.indexOf(plain.charAt(i));
    if (value < 0) return undefined;
    for (let bit = 0; bit < 5; bit++) {
      if ((value >> (4 - bit)) & 1) {
        const at = i * 5 + bit;
        bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (0x80 >> (at & 7));
      }
    }
  }
  return bytes;
}

function fiveBits(bytes: Uint8Array, at: number): number {
  const window = ((bytes[at >> 3] ?? 0) << 8) | (bytes[(at >> 3) + 1] ?? 0);
  return (window >> (11 - (at & 7))) & 31;
}
