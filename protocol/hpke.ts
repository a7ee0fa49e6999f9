// HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305, one message a context.
import { primitives } from "#primitives";
import { concat, utf8 } from "./bytes.ts";
import { expand, extract } from "./hkdf.ts";

const EMPTY = new Uint8Array(0);
const VERSION = utf8("HPKE-v1");
// RFC 9180 4.1: "KEM" and I2OSP(0x0020, 2); 5.1: "HPKE" and the three ids 0x0020, 0x0001, 0x0003.
const KEM_SUITE = concat(utf8("KEM"), Uint8Array.of(0x00, 0x20));
const HPKE_SUITE = concat(utf8("HPKE"), Uint8Array.of(0x00, 0x20, 0x00, 0x01, 0x00, 0x03));
const MODE_BASE = Uint8Array.of(0);
const ENCAPSULATED_BYTES = 32;

export type HpkeMessage = {
  /** Binds the message to its use; both sides must give the same. */
  readonly info: Uint8Array;
  readonly data: Uint8Array;
};

/**
 * Seals to a 32-byte X25519 public key: 32 bytes of encapsulated key, the ciphertext, the 16-byte tag.
 * `ephemeral` is a fresh 32-byte private key. `undefined` where the recipient's key is of low order.
 */
export function hpkeSeal(
  recipient: Uint8Array,
  { info, data }: HpkeMessage,
  ephemeral: Uint8Array,
): Uint8Array | undefined {
  const encapsulated = primitives.x25519PublicKey(ephemeral);
  const shared = primitives.x25519(ephemeral, recipient);
  if (shared === undefined) return undefined;
  const { key, nonce } = schedule(kemSecret(shared, concat(encapsulated, recipient)), info);
  return concat(encapsulated, primitives.sealChaCha({ key, nonce, aad: EMPTY, data }));
}

/** Opens what `hpkeSeal` made, with the recipient's 32-byte private key; `undefined` where it does not open. */
export function hpkeOpen(privateKey: Uint8Array, { info, data }: HpkeMessage): Uint8Array | undefined {
  if (data.length < ENCAPSULATED_BYTES) return undefined;
  const encapsulated = data.subarray(0, ENCAPSULATED_BYTES);
  const shared = primitives.x25519(privateKey, encapsulated);
  if (shared === undefined) return undefined;
  const context = concat(encapsulated, primitives.x25519PublicKey(privateKey));
  const { key, nonce } = schedule(kemSecret(shared, context), info);
  return primitives.openChaCha({ key, nonce, aad: EMPTY, data: data.subarray(ENCAPSULATED_BYTES) });
}

/** RFC 9180 4.1, ExtractAndExpand. */
function kemSecret(shared: Uint8Array, context: Uint8Array): Uint8Array {
  const key = labeledExtract(KEM_SUITE, { salt: EMPTY, label: "eae_prk", inputKey: shared });
  return labeledExpand(KEM_SUITE, { key, label: "shared_secret", info: context, bytes: 32 });
}

/** RFC 9180 5.1, KeySchedule in base mode: no PSK. One message a context, so the base nonce is the nonce (5.2). */
function schedule(secret: Uint8Array, info: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  const pskIdHash = labeledExtract(HPKE_SUITE, { salt: EMPTY, label: "psk_id_hash", inputKey: EMPTY });
  const infoHash = labeledExtract(HPKE_SUITE, { salt: EMPTY, label: "info_hash", inputKey: info });
  const context = concat(MODE_BASE, pskIdHash, infoHash);
  const prk = labeledExtract(HPKE_SUITE, { salt: secret, label: "secret", inputKey: EMPTY });
  return {
    key: labeledExpand(HPKE_SUITE, { key: prk, label: "key", info: context, bytes: 32 }),
    nonce: labeledExpand(HPKE_SUITE, { key: prk, label: "base_nonce", info: context, bytes: 12 }),
  };
}

function labeledExtract(
  suite: Uint8Array,
  { salt, label, inputKey }: { salt: Uint8Array; label: string; inputKey: Uint8Array },
): Uint8Array {
  return extract(salt, concat(VERSION, suite, utf8(label), inputKey));
}

function labeledExpand(
  suite: Uint8Array,
  { key, label, info, bytes }: { key: Uint8Array; label: string; info: Uint8Array; bytes: number },
): Uint8Array {
  const length = Uint8Array.of(bytes >> 8, bytes & 0xff);
  return expand({ key, info: concat(length, VERSION, suite, utf8(label), info), bytes });
}
