// Random bytes from a word, the same in every run: what makes keys, ids and salts of tests and vectors repeatable.
import { concat, toBase64url, utf8 } from "../../protocol/bytes.ts";
import { primitives } from "../../protocol/primitives/node.ts";
import type { Random } from "../../protocol/seal.ts";

/** An endless stream of bytes for this word; two streams of one word are the same. */
export function seeded(word: string): Random {
  let counter = 0;
  let rest: Uint8Array = new Uint8Array(0);
  return (bytes) => {
    while (rest.length < bytes) rest = concat(rest, primitives.sha256(utf8(`keybound cast ${word} ${counter++}`)));
    const taken = rest.slice(0, bytes);
    rest = rest.slice(bytes);
    return taken;
  };
}

/** A digest-sized value for this word, base64url: a device, tenant or challenge that nobody holds. */
export function digestOf(word: string): string {
  return toBase64url(seeded(word)(32));
}

/** A 16-byte id for this word, base64url. */
export function idOf(word: string): string {
  return toBase64url(seeded(word)(16));
}
