// A relay that was taken over tries to have its own key approved in a newcomer's name, by every way that it has.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHmac } from "node:crypto";
import { fromBase64url, toBase64url } from "../../protocol/bytes.ts";
import { pae } from "../../protocol/envelope.ts";
import type { Frame } from "../../protocol/frame.ts";
import { sixDigits } from "../../protocol/key-approval.ts";
import { signKeyRequest } from "../../protocol/key-request.ts";
import { sealingPairOf } from "../../protocol/passphrase.ts";
import { signerOf } from "../../protocol/signature.ts";
import { encodeStrict, parseStrict } from "../../protocol/strict-json.ts";
import { readEnvelope } from "../../protocol/envelope.ts";
import { seeded } from "../cast/random.ts";
import { idOfEnvelope } from "../cast/statement.ts";
import { expectDone, MAIN, OperatorHouse, PASSPHRASE } from "../operator/house.ts";
import { type Line, TakenOverRelay } from "./taken-over-relay.ts";
import { Terminal } from "./terminal.ts";

const SLOW = 300_000;

let relay: TakenOverRelay;
let house: OperatorHouse;
let pin = "";
let tenant = "";
const terminals: Terminal[] = [];

beforeAll(async () => {
  relay = await TakenOverRelay.open();
  house = await OperatorHouse.open({ front: relay.url });
  relay.upstream = house.relay.url;
  const made: { pin: string; tenant: string } = JSON.parse(expectDone(await house.init(["--json"])).stdout);
  ({ pin, tenant } = made);
}, SLOW);

afterAll(async () => {
  relay.plot = {};
  await Promise.all(terminals.map((terminal) => terminal[Symbol.asyncDispose]()));
  await house[Symbol.asyncDispose]();
  await relay[Symbol.asyncDispose]();
});

function at(home: string, ...args: readonly string[]): Terminal {
  const terminal = new Terminal([process.execPath, MAIN, ...args], { KEYBOUND_HOME: home });
  terminals.push(terminal);
  return terminal;
}

async function askingAs(name: string): Promise<Terminal> {
  const home = house.path(name);
  const args = ["key", "create", "--relay", relay.url, "--pin", pin, "--name", name, "--acknowledge"];
  const given = ["--no-recovery-file", "--passphrase-file", house.passphraseFile];
  const terminal = at(home, ...args, ...given);
  await terminal.sees("waiting to be called");
  return terminal;
}

async function approving(name: string): Promise<Terminal> {
  const ada = at(house.home, "key", "approve", name, "--no-wait");
  await ada.answers("Passphrase:", PASSPHRASE);
  return ada;
}

/** A request of the thief's own, in somebody's name. */
function thiefs(name: string, word: string) {
  const signer = signerOf(seeded(`thief ${word}`)(32));
  const nonce = seeded(`thief's nonce ${word}`)(32);
  const enc = sealingPairOf(seeded(`thief enc ${word}`)(32)).publicKey;
  const fields = {
    tenant,
    purpose: "add",
    operator: toBase64url(seeded(`thief id ${word}`)(16)),
    name,
    sig: toBase64url(signer.publicKey),
    enc: toBase64url(enc),
    mode: "setup",
    time: Date.now(),
  } as const;
  const bytes = signKeyRequest(fields, { nonce, signers: [signer] });
  return { bytes, nonce, id: idOfEnvelope(bytes) };
}

async function operators(): Promise<readonly string[]> {
  relay.plot = {};
  const { operators: found }: { operators: { name: string }[] } = JSON.parse(
    expectDone(await house.run(["status", "--json"])).stdout,
  );
  return found.map(({ name }) => name);
}

const is = ({ header }: Frame, type: string) => header["type"] === type;

type Approval = { readonly id: string; readonly nonce: string; readonly session: string };

function approvalIn(envelope: Uint8Array): Approval {
  const { nonce, session } = parseStrict(readEnvelope(envelope).payload, 4096);
  if (typeof nonce !== "string" || typeof session !== "string") throw new Error("no approval");
  return { id: idOfEnvelope(envelope), nonce, session };
}

/**
 * Shows the admin the thief's request in place of the newcomer's, takes the admin's approval of it, and reveals what `choose` finds
 * now that everything is known.
 */
function swapping(thief: ReturnType<typeof thiefs>, choose: (approval: Approval) => Uint8Array) {
  return {
    fromRelay: (frame: Frame) => {
      if (!is(frame, "requests")) return frame;
      const row = { request: thief.id, filedAt: Date.now(), online: true };
      return { header: { ...frame.header, requests: [row] }, parts: [thief.bytes] };
    },
    fromClient: (frame: Frame, line: Line) => {
      if (!is(frame, "offer-approval")) return frame;
      line.toClient({ header: { type: "ok", rid: frame.header["rid"] ?? 0 }, parts: [] });
      const approval = approvalIn(frame.parts[0] ?? new Uint8Array(0));
      const nonce = toBase64url(choose(approval));
      line.toClient({ header: { type: "reveal-news", session: approval.session, nonce }, parts: [] });
      return undefined;
    },
  };
}

describe("a request of the relay's own in a newcomer's name", () => {
  test(
    "shows the admin other digits than any that the newcomer sees",
    async () => {
      const grace = await askingAs("grace");
      const thief = thiefs("grace", "honest nonce");
      relay.plot = swapping(thief, () => thief.nonce);
      const ada = await approving("grace");
      // The newcomer sees no digits, because nobody took up her own request; the admin types what comes to mind.
      await ada.answers("Six digits that grace reads out to you:", "123 456");
      await ada.sees("keybound: code-differs");
      expect(grace.screen).not.toMatch(/\d{3} \d{3}\n/);
      expect(await operators()).toEqual(["Ada"]);
    },
    SLOW,
  );

  test(
    "cannot be made to show the digits that the newcomer reads out, even by trying every nonce",
    async () => {
      const hugo = await askingAs("hugo");
      // A first call, for the newcomer's true request, of which the relay lets the answer die.
      relay.plot = { fromRelay: (frame) => (is(frame, "reveal-news") ? undefined : frame) };
      const first = await approving("hugo");
      const [, left = "", right = ""] = await hugo.sees(/(\d{3}) (\d{3})\n/);
      await first.pressesCtrlC();
      await first.ended();
      const digits = `${left}${right}`;
      // The second call is for the thief's request; the relay knows the admin's nonce before it tells its own.
      const thief = thiefs("hugo", "searched nonce");
      let tries = 0;
      relay.plot = swapping(thief, (approval) => {
        const found = searched({ request: thief.id, approval, digits });
        ({ tries } = found);
        return found.nonce;
      });
      const ada = await approving("hugo");
      await ada.sees("keybound: code-commit");
      expect(await ada.ended()).toBe(1);
      expect(tries).toBeGreaterThan(0);
      expect(await operators()).toEqual(["Ada"]);
      const { mismatches }: { mismatches: unknown[] } = JSON.parse(
        expectDone(await house.run(["status", "--json"])).stdout,
      );
      expect(mismatches.length).toBe(2);
    },
    SLOW,
  );
});

describe("an approval that no admin made for this request", () => {
  test(
    "is refused by the newcomer, who tells nothing: by another key, for another request, or a replayed one",
    async () => {
      let line: Line | undefined;
      const told: Frame[] = [];
      relay.plot = {
        fromClient: (frame, from) => {
          if (is(frame, "file-request")) line = from;
          if (is(frame, "reveal")) told.push(frame);
          return frame;
        },
      };
      const ines = await askingAs("ines");
      const forged = thiefs("ines", "forged").bytes;
      line?.toClient({ header: { type: "approval-news" }, parts: [forged] });
      await ines.sees("a call was refused: envelope-type");
      expect(told).toEqual([]);
      // Ada's own approval of somebody else's request, played to ines.
      const other = thiefs("jon", "other");
      relay.plot = {
        ...relay.plot,
        fromRelay: swapping(other, () => other.nonce).fromRelay,
        fromClient: (frame) => {
          if (is(frame, "offer-approval")) line?.toClient({ header: { type: "approval-news" }, parts: frame.parts });
          return is(frame, "offer-approval") ? undefined : frame;
        },
      };
      await approving("jon");
      await ines.sees("a call by Ada was refused: it is for another request than this one");
      expect(told).toEqual([]);
    },
    SLOW,
  );
});

describe("a newcomer", () => {
  test(
    "is led to no other organisation than the one whose pin they typed",
    async () => {
      relay.plot = {
        fromRelay: (frame) =>
          is(frame, "tenant")
            ? { ...frame, header: { ...frame.header, tenant: toBase64url(seeded("other")(32)) } }
            : frame,
      };
      const given = ["--acknowledge", "--no-recovery-file", "--passphrase-file", house.passphraseFile];
      const args = ["key", "create", "--relay", relay.url, "--pin", pin, "--name", "kim", ...given];
      const ran = await house.run(args, { env: { KEYBOUND_HOME: house.path("kim") } });
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("keybound: tenant-other")]);
      relay.plot = {};
    },
    SLOW,
  );
});

/** A nonce with which the thief's request shows these digits, by trying; the commitment is what it cannot meet. */
function searched({
  request,
  approval,
  digits,
}: {
  readonly request: string;
  readonly approval: Approval;
  readonly digits: string;
}): { readonly nonce: Uint8Array; readonly tries: number } {
  const approverNonce = fromBase64url(approval.nonce) ?? new Uint8Array(0);
  const info = pae("application/vnd.keybound.code.v1+json", encodeStrict({ approval: approval.id, request }));
  const nonce = new Uint8Array(32);
  const wanted = BigInt(digits);
  for (let tries = 1; tries < 20_000_000; tries++) {
    new DataView(nonce.buffer).setUint32(0, tries);
    const key = createHmac("sha256", new Uint8Array(0)).update(nonce).update(approverNonce).digest();
    const drawn = createHmac("sha256", key).update(info).update(Uint8Array.of(1)).digest();
    if (drawn.readBigUInt64BE(0) % 1_000_000n !== wanted) continue;
    const shown = sixDigits({ request, approval: approval.id, requesterNonce: nonce, approverNonce });
    if (shown !== digits) throw new Error("internal error: the search counts otherwise than the protocol");
    return { nonce, tries };
  }
  throw new Error("nothing found");
}
