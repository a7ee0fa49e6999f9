// The refusal vectors by file: what `npm run vectors` writes and the tests read.
import type { RefusalCase } from "./case.ts";
import { bindingCases, enrolmentCases, loginCases, packageCases, receiptCases } from "./device-cases.ts";
import { envelopeCases, frameCases, jsonCases } from "./form-cases.ts";
import { addressCases, bodyCases, signerCases, timeCases } from "./job-cases.ts";
import { codeCases, eventCases, genesisCases, rosterCases } from "./key-cases.ts";
import { releaseCases, updateCases } from "./release-cases.ts";

export function refusalFiles(): ReadonlyMap<string, readonly RefusalCase[]> {
  return new Map([
    ["envelope", envelopeCases()],
    ["strict-json", jsonCases()],
    ["keys", genesisCases()],
    ["key-log", eventCases()],
    ["key-request", codeCases()],
    ["roster", rosterCases()],
    ["package", [...packageCases(), ...bindingCases()]],
    ["enrolment", enrolmentCases()],
    ["job-signers", signerCases()],
    ["job-address", addressCases()],
    ["job-time", timeCases()],
    ["job-body", bodyCases()],
    ["release", [...releaseCases(), ...updateCases()]],
    ["receipt", receiptCases()],
    ["login", [...loginCases(), ...frameCases()]],
  ]);
}
