// All of protocol but Node's primitives, and one function that judges a job with it, wherever it runs.
import * as binding from "../../protocol/binding.ts";
import * as bindingReport from "../../protocol/binding-report.ts";
import * as bytes from "../../protocol/bytes.ts";
import * as cancelBody from "../../protocol/cancel-body.ts";
import * as checkpoint from "../../protocol/checkpoint.ts";
import * as crockford from "../../protocol/crockford.ts";
import * as deployment from "../../protocol/deployment.ts";
import * as deviceEntry from "../../protocol/device-entry.ts";
import * as digest from "../../protocol/digest.ts";
import * as enrolment from "../../protocol/enrolment.ts";
import * as envelope from "../../protocol/envelope.ts";
import * as fields from "../../protocol/fields.ts";
import * as frame from "../../protocol/frame.ts";
import * as hkdf from "../../protocol/hkdf.ts";
import * as hpke from "../../protocol/hpke.ts";
import * as inventory from "../../protocol/inventory.ts";
import * as job from "../../protocol/job.ts";
import * as jobBody from "../../protocol/job-body.ts";
import * as fetchBody from "../../protocol/fetch-body.ts";
import * as jobFile from "../../protocol/job-file.ts";
import * as jobWork from "../../protocol/job-work.ts";
import * as judgeUpdate from "../../protocol/judge-update.ts";
import * as keyAdmission from "../../protocol/key-admission.ts";
import * as keyApproval from "../../protocol/key-approval.ts";
import * as keyAuthority from "../../protocol/key-authority.ts";
import * as keyEvent from "../../protocol/key-event.ts";
import * as keyLog from "../../protocol/key-log.ts";
import * as keyRequest from "../../protocol/key-request.ts";
import * as keyState from "../../protocol/key-state.ts";
import * as keptBytes from "../../protocol/kept-bytes.ts";
import * as keyView from "../../protocol/key-view.ts";
import * as keyWait from "../../protocol/key-wait.ts";
import * as limits from "../../protocol/limits.ts";
import * as outcome from "../../protocol/outcome.ts";
import * as output from "../../protocol/output.ts";
import * as passphrase from "../../protocol/passphrase.ts";
import * as pin from "../../protocol/pin.ts";
import * as platform from "../../protocol/platform.ts";
import * as policy from "../../protocol/policy.ts";
import * as receipt from "../../protocol/receipt.ts";
import * as release from "../../protocol/release.ts";
import * as refusal from "../../protocol/refusal.ts";
import * as relayLogin from "../../protocol/relay-login.ts";
import * as roster from "../../protocol/roster.ts";
import * as rosterEvent from "../../protocol/roster-event.ts";
import * as runs from "../../protocol/runs.ts";
import * as seal from "../../protocol/seal.ts";
import * as seenKeys from "../../protocol/seen-keys.ts";
import * as setupCode from "../../protocol/setup-code.ts";
import * as signature from "../../protocol/signature.ts";
import * as signedBy from "../../protocol/signed-by.ts";
import * as stream from "../../protocol/stream.ts";
import * as strictJson from "../../protocol/strict-json.ts";
import * as updateBody from "../../protocol/update-body.ts";
import * as version from "../../protocol/version.ts";
import * as verifyJob from "../../protocol/verify-job.ts";
import * as wireDevice from "../../protocol/wire-device.ts";
import * as wireFields from "../../protocol/wire-fields.ts";
import * as wireOperator from "../../protocol/wire-operator.ts";
import * as wire from "../../protocol/wire.ts";
import * as window from "../../protocol/window.ts";

/** As one value, so that a bundler keeps all of it where it is looked at from outside. */
export const protocol = {
  binding,
  bindingReport,
  bytes,
  cancelBody,
  checkpoint,
  crockford,
  deployment,
  deviceEntry,
  digest,
  enrolment,
  envelope,
  fields,
  frame,
  hkdf,
  hpke,
  inventory,
  job,
  jobBody,
  jobFile,
  fetchBody,
  jobWork,
  judgeUpdate,
  keyAdmission,
  keyApproval,
  keyAuthority,
  keyEvent,
  keyLog,
  keyRequest,
  keyState,
  keptBytes,
  keyView,
  keyWait,
  limits,
  outcome,
  output,
  passphrase,
  pin,
  platform,
  policy,
  receipt,
  refusal,
  release,
  relayLogin,
  roster,
  rosterEvent,
  runs,
  seal,
  seenKeys,
  setupCode,
  signature,
  signedBy,
  stream,
  strictJson,
  updateBody,
  verifyJob,
  version,
  wire,
  wireDevice,
  wireFields,
  wireOperator,
  window,
};

/** Everything in base64, but for `device` (an id) and `now`. */
export type BrowserCase = {
  readonly log: readonly string[];
  readonly envelope: string;
  readonly wrap: string;
  readonly body: string;
  readonly device: string;
  readonly sealingKey: string;
  readonly now: number;
};

const from = (text: string) => Uint8Array.fromBase64(text);

/** The verdict in a word; of a verified job also its source. */
export function judgeJob(given: BrowserCase): string {
  const entries = given.log.map(from);
  const state = protocol.keyLog.judgeLog(entries, protocol.keyAdmission.admitKey);
  const ids = entries.map((entry) => protocol.envelope.statementId(protocol.envelope.readEnvelope(entry)));
  const verdict = protocol.verifyJob.VerifiedJob.judge(from(given.envelope), {
    keyLog: { state, idAt: (seq) => ids[seq] },
    device: given.device,
    class: "standard",
    agentVersion: 1,
    now: given.now,
    heardAt: () => given.now,
    vouches: new Map(),
    claimed: () => undefined,
    asked: false,
  });
  if (verdict.type !== "verified") return verdict.type === "refused" ? verdict.refusal.code : verdict.type;
  const sealed = { wrap: from(given.wrap), body: from(given.body) };
  try {
    const opened = verdict.job.open(sealed, protocol.passphrase.sealingPairOf(from(given.sealingKey)));
    return opened.kind === "run" ? (opened.body.source ?? "") : opened.kind;
  } catch (error) {
    if (error instanceof protocol.refusal.Refusal) return error.code;
    throw error;
  }
}
