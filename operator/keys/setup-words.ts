// Showing the setup code, this once: as text, and on a terminal as a QR code.
import { writeSetupCode } from "../../protocol/setup-code.ts";
import { say } from "../desk.ts";
import { qrCode } from "../present/qr.ts";
import type { World } from "../world.ts";

/** The code of a tenant and a setup secret; `undefined` in passphrase-only mode. */
export function setupCodeOf(tenant: string, setupSecret: Uint8Array | undefined): string | undefined {
  return setupSecret === undefined ? undefined : writeSetupCode(tenant, setupSecret);
}

/** On a terminal, so that it is photographed or scanned by a second machine; nothing elsewhere. */
export async function showSetupQr(world: World, code: string | undefined): Promise<void> {
  if (code === undefined || world.stderr.isTTY !== true) return;
  say(world, `\n${await qrCode(code)}`);
}

export const SETUP_CODE_WORDS =
  "The setup code is shown this once: it and the passphrase make the key. With it, keybound login makes this key usable on a\nsecond machine. Keep it apart from the passphrase.";
