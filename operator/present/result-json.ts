// A device's result as `--json` shows it: stable members, output as text where it is UTF-8, else as base64.
import { text, toBase64 } from "../../protocol/bytes.ts";
import type { KeptStream } from "../../protocol/output.ts";
import type { Ended } from "./run-view.ts";
import { hasSucceeded } from "./result-words.ts";

export function resultJson({ target, followed, result }: Ended): object {
  const { job, device } = target;
  const head = { device: device.device, name: device.name, job, delivery: followed.delivery };
  const ok = hasSucceeded(result);
  if (result === undefined) return { ...head, result: "waiting", ok };
  if (result.type === "refused-unsigned") return { ...head, result: result.type, ok, note: result.note };
  if (result.type === "untrusted") {
    return { ...head, result: result.type, ok, code: result.error.code, detail: result.error.detail };
  }
  if (result.type === "expired") return { ...head, result: result.type, ok };
  const {
    seq,
    occurrence,
    runsLeft,
    outcome,
    startedAt,
    finishedAt,
    contained,
    unenforced,
    interpreter,
    interpreterVersion,
    keyHead,
  } = result.receipt;
  const started = startedAt === undefined ? {} : { startedAt };
  const version = interpreterVersion === undefined ? {} : { interpreterVersion };
  const ran = interpreter === undefined ? {} : { interpreter, ...version };
  const round = occurrence === undefined ? {} : { occurrence, runsLeft };
  const unapplied = unenforced === undefined ? {} : { unenforced };
  const receipt = {
    id: result.id,
    seq,
    ...round,
    outcome,
    ...started,
    finishedAt,
    contained,
    ...unapplied,
    ...ran,
    keyHead,
  };
  return { ...head, result: result.type, ok, receipt, ...outputJson(result.output) };
}

function outputJson(output: readonly KeptStream[]): object {
  return Object.fromEntries(output.map((kept) => [kept.stream, streamJson(kept)]));
}

function streamJson({ size, head, tail }: KeptStream): object {
  const kept = new Uint8Array(Buffer.concat([head, tail]));
  const readable = text(kept);
  const left = size - kept.length;
  return { size, left, ...(readable === undefined ? { base64: toBase64(kept) } : { text: readable }) };
}
