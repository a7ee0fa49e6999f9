// The primitives that the protocol builds on, as one shape that Node's crypto and noble both fill; no rule of the protocol lives here.

/** Every function is total on byte arrays of the stated lengths; `openChaCha` answers `undefined` where the tag does not fit. */
export type Primitives = {
  readonly sha256: (data: Uint8Array) => Uint8Array;
  readonly hmacSha256: (key: Uint8Array, data: Uint8Array) => Uint8Array;
  /** RFC 8032 5.1.5: 32-byte seed to 32-byte public key. */
  readonly ed25519PublicKey: (seed: Uint8Array) => Uint8Array;
  /** RFC 8032 5.1.6, 64 bytes. */
  readonly ed25519Sign: (seed: Uint8Array, message: Uint8Array) => Uint8Array;
  /** The cofactorless equation of SPEC 3.2, for an admitted key and a signature whose form was checked before. */
  readonly ed25519Equation: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
  /** RFC 7748 5: 32-byte private key to 32-byte public key. */
  readonly x25519PublicKey: (privateKey: Uint8Array) => Uint8Array;
  /** RFC 7748 6.1, 32 bytes; `undefined` for an all-zero result (a low-order peer key). */
  readonly x25519: (privateKey: Uint8Array, publicKey: Uint8Array) => Uint8Array | undefined;
  /** RFC 8439 2.8: ciphertext followed by the 16-byte tag; 32-byte key, 12-byte nonce. */
  readonly sealChaCha: (input: ChaChaInput) => Uint8Array;
  readonly openChaCha: (input: ChaChaInput) => Uint8Array | undefined;
  /** RFC 9106 Argon2id, version 0x13. */
  readonly argon2id: (input: Argon2Input) => Promise<Uint8Array>;
};

export type ChaChaInput = {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
  readonly data: Uint8Array;
};

export type Argon2Input = {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
  readonly bytes: number;
};
