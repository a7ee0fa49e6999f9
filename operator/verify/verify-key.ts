// What requests for keys, their approvals and reports of bindings prove, in words.
import { readBindingReport } from "../../protocol/binding-report.ts";
import { admitKey } from "../../protocol/key-admission.ts";
import { longCode, readApproval } from "../../protocol/key-approval.ts";
import { readKeyRequest } from "../../protocol/key-request.ts";
import { pinOf } from "../../protocol/pin.ts";
import { refuse } from "../../protocol/refusal.ts";
import { date } from "../present/time.ts";
import { need, type Reading, type Words } from "./verify-known.ts";

export function keyRequestWords({ bytes }: Reading): Words {
  const { request, id } = readKeyRequest(bytes, admitKey);
  const what = request.purpose === "add" ? "a key as a new operator" : "a key in place of the one that they have";
  return {
    says: [
      `${request.name} asks for ${what} of the tenant with pin ${pinOf(request.tenant)}, on ${date(request.time)}`,
      `its code is ${longCode(id)}`,
    ],
    unchecked: ["who made it: whoever holds the key may call themselves so"],
  };
}

export function keyApprovalWords({ bytes, known }: Reading): Words {
  const { keyLog } = need(known);
  const { approval, approver } = readApproval(bytes, keyLog);
  return {
    says: [`${approver.name} takes up the request for a key with code ${longCode(approval.request)}`],
    unchecked: ["whether the key was approved: that stands in the key log"],
  };
}

export function bindingReportWords({ bytes, envelope, known }: Reading): Words {
  const { keyLog, roster } = need(known);
  const device = envelope.signatures.map(({ key }) => roster.devices.get(key)).find((one) => one !== undefined);
  if (device === undefined) throw refuse("roster-device-unknown", `device ${envelope.signatures[0]?.key ?? ""}`);
  const { keyHead, moved, left, refused, time } = readBindingReport(bytes, {
    sig: device.sig,
    tenant: keyLog.state.tenant,
  });
  const away = moved === undefined ? [] : [`it belongs to the tenant with pin ${pinOf(moved.tenant)} now`];
  const gone =
    left === undefined
      ? []
      : [`its agent was uninstalled on ${date(time)}, with ${left.journal.seq} entries in its journal`];
  const no =
    refused === undefined
      ? []
      : [
          `it refused a package of ${refused.name}, ${pinOf(refused.tenant)}, on ${date(refused.time)}: ${refused.code}`,
        ];
  return {
    says: [`${device.name} knew the key log to entry ${keyHead.seq} on ${date(time)}`, ...no, ...away, ...gone],
    unchecked: [],
  };
}
