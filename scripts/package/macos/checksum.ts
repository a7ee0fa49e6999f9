/** The CRC that POSIX' cksum(1) prints: polynomial 0x04C11DB7, most significant bit first, the length after the content. */

const TABLE = Uint32Array.from({ length: 256 }, (_value, byte) => {
  let remainder = byte << 24;
  for (let bit = 0; bit < 8; bit++) remainder = remainder < 0 ? (remainder << 1) ^ 0x04c11db7 : remainder << 1;
  return remainder;
});

export function cksum(content: Uint8Array): number {
  let crc = 0;
  const take = (byte: number) => (crc = (crc << 8) ^ (TABLE[(crc >>> 24) ^ byte] ?? 0));
  for (const byte of content) take(byte);
  for (let length = content.length; length > 0; length = Math.floor(length / 256)) take(length % 256);
  return ~crc >>> 0;
}
