// Keys that the admission must refuse although they sign validly: what anybody could register who was let.
import { ed25519 } from "@noble/curves/ed25519.js";
import { concat, utf8 } from "../../../protocol/bytes.ts";
import { type Signer, thumbprint } from "../../../protocol/signature.ts";
import { seeded } from "../../cast/random.ts";
import { createHash } from "node:crypto";

const { Point } = ed25519;
const { Fn } = Point;
/** A point of order eight. */
const TORSION = Point.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");

/** A key of small order: whoever knows it signs anything, for there is no secret. */
export function smallOrderSigner(): Signer {
  return signerOver(0n, "small order");
}

/** An honest key with a point of order eight added to it. */
export function torsionSigner(): Signer {
  return signerOver(scalarOf(seeded("torsion")(32)), "torsion");
}

/** Tries nonces until the torsion drops out of the equation: one in eight does. */
function signerOver(secret: bigint, word: string): Signer {
  const honest = secret === 0n ? Point.ZERO : Point.BASE.multiply(secret);
  const publicKey = honest.add(TORSION).toBytes();
  return { key: thumbprint(publicKey), publicKey, sign: (message) => signed({ secret, publicKey, message, word }) };
}

type Signing = {
  readonly secret: bigint;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly word: string;
};

function signed({ secret, publicKey, message, word }: Signing): Uint8Array {
  for (let tries = 0; ; tries++) {
    const nonce = scalarOf(
      createHash("sha256")
        .update(utf8(`${word} ${tries}`))
        .update(message)
        .digest(),
    );
    const r = Point.BASE.multiply(nonce).toBytes();
    const digest = createHash("sha512")
      .update(concat(r, publicKey, message))
      .digest();
    const challenge = Fn.create(littleEndian(digest));
    if (challenge % 8n === 0n) return concat(r, Fn.toBytes(Fn.create(nonce + challenge * secret)));
  }
}

function scalarOf(bytes: Uint8Array): bigint {
  return Fn.create(littleEndian(bytes));
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${bytes.toReversed().toHex()}`);
}
