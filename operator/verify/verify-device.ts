// What receipts and other statements of devices prove, in words.
import { readEnrolment } from "../../protocol/enrolment.ts";
import type { UnverifiedEnvelope } from "../../protocol/envelope.ts";
import { readInventory } from "../../protocol/inventory.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { pinOf } from "../../protocol/pin.ts";
import { readReceipt, type Receipt } from "../../protocol/receipt.ts";
import { refuse } from "../../protocol/refusal.ts";
import type { RosterDevice } from "../../protocol/roster.ts";
import { plain } from "../present/escape.ts";
import { endingWords } from "../present/outcome-words.ts";
import { date } from "../present/time.ts";
import { type Known, need, type Reading, type Words } from "./verify-known.ts";

export function receiptWords({ bytes, envelope, known }: Reading): Words {
  const { keyLog, device, receiptId } = memberWho(envelope, known);
  const { receipt, id } = readReceipt(bytes, { sig: device.sig, tenant: keyLog.state.tenant });
  const seen = receiptId(device.device, receipt.seq);
  if (seen !== undefined && seen !== id)
    throw refuse("receipt-chain", `receipt ${receipt.seq} of ${device.name} was ${seen} before`);
  const output = receipt.output.map(
    ({ stream, size, sha256 }) =>
      `${size} bytes on ${stream}, of which those kept hash, with the result's salt, to ${sha256}`,
  );
  return {
    says: [
      `receipt ${receipt.seq} of ${device.name}, signed by its key ${device.device}`,
      `job ${receipt.job}, statement ${receipt.statement}: ${endingWords(receipt.outcome)}, ended ${date(receipt.finishedAt)}`,
      ...output,
      ...(receipt.startedAt === undefined ? ["nothing of the job was started"] : [CONTAINED[receipt.contained]]),
      ...(receipt.unenforced ?? []).map((limit) => `${limit} of the job could not be enforced there`),
      `${device.name} knew the key log to entry ${receipt.keyHead.seq}`,
    ],
    unchecked: [
      ...(seen === undefined ? ["its place in the device's chain: this home has not verified the chain so far"] : []),
      ...(receipt.output.length === 0 ? [] : ["the output itself, which is not in the file"]),
    ],
  };
}

const CONTAINED: Readonly<Record<Receipt["contained"], string>> = {
  yes: "the whole process tree of the job was seen to end",
  no: "processes of the job were still alive",
  unknown: "whether all its processes ended is not known",
  left: "processes that the job left behind live on, as its signer had said",
};

/** The device of the roster that signed, by the key ids of the envelope. */
function memberWho(
  { signatures }: UnverifiedEnvelope,
  known: Known | undefined,
): Known & { readonly device: RosterDevice } {
  const home = need(known);
  const device = signatures.map(({ key }) => home.roster.devices.get(key)).find((one) => one !== undefined);
  if (device === undefined) throw refuse("roster-device-unknown", `device ${signatures[0]?.key ?? ""}`);
  return { ...home, device };
}

export function inventoryWords({ bytes, envelope, known }: Reading): Words {
  const { keyLog, device } = memberWho(envelope, known);
  const { host, os, time } = readInventory(bytes, { sig: device.sig, tenant: keyLog.state.tenant });
  return {
    says: [`inventory of ${device.name} as of ${date(time)}: ${plain(host)}, ${plain(os.name)} ${plain(os.version)}`],
    unchecked: [],
  };
}

export function enrolmentWords({ bytes, known }: Reading): Words {
  const { request } = readEnrolment(bytes, admitKey);
  const member = known?.roster.devices.get(request.device);
  const isOwn = known?.keyLog.state.tenant === request.tenant;
  return {
    says: [
      `device ${request.device} asks to join the tenant with pin ${pinOf(request.tenant)}`,
      `it says that it is ${plain(request.host)}, ${request.platform} ${plain(request.release)}, as of ${date(request.time)}`,
      member === undefined ? "it is not in this home's roster" : `it was admitted as ${member.name}`,
    ],
    unchecked: [
      ...(isOwn ? [] : ["the tenant, which is not this home's"]),
      "the proof of its token, which is not in the file",
    ],
  };
}
