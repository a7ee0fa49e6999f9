/** A release key out of a file: Ed25519, PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519 -out FILE` makes it. */
import { createPrivateKey, sign } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { fromBase64url } from "../../protocol/bytes.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { type Signer, thumbprint } from "../../protocol/signature.ts";

/** Throws where it is another kind of file or key, or others may read it. */
export function readReleaseKey(file: string): Signer {
  if (process.platform !== "win32" && (statSync(file).mode & 0o077) !== 0)
    throw new Error(`${file} may be read by others\nhint: chmod 600 ${file}`);
  const pem = readFileSync(file, "utf8");
  if (pem.includes("ENCRYPTED PRIVATE KEY"))
    throw new Error(
      `${file} is encrypted\nhint: openssl pkey -in ${file} | npm run sign-release -- --key /dev/stdin ...`,
    );
  const privateKey = createPrivateKey(pem);
  if (privateKey.asymmetricKeyType !== "ed25519")
    throw new Error(`${file} has a key of type ${privateKey.asymmetricKeyType}, must be ed25519`);
  const publicKey = fromBase64url(privateKey.export({ format: "jwk" }).x ?? "") ?? new Uint8Array(0);
  admitKey(publicKey);
  return { key: thumbprint(publicKey), publicKey, sign: (message) => new Uint8Array(sign(null, message, privateKey)) };
}
